"""How one room reaches another. ``daemon/wiring.py`` hands the implementations in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from alonzo.model.context import Principal, RequestContext
from alonzo.model.functions import ServingVersion
from alonzo.model.invocations import InvokeRequest, InvokeResult

#: One AWS operation: parameters as the service model names them, in; the output document, out.
#: ``None`` is an empty output. Blobs are bytes, timestamps aware datetimes or epoch seconds.
Operation = Callable[[RequestContext, dict[str, Any]], Awaitable[Mapping[str, Any] | None]]

#: The operations of one service, by name as in its model.
Operations = Mapping[str, Operation]


class Invoker(Protocol):
    """Runs functions. Implemented by ``invoke``."""

    async def invoke(self, request: InvokeRequest) -> InvokeResult:
        """Run one call to its end (or, for an event, to its durable acceptance).

        Raises:
            AwsError: the call was refused before any function code ran for it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """The record of an event that is over, on its way to a destination.

    ``request_id`` is the delivery's own, the same at every try. ``sender_arn`` is the ARN of the
    function that the event was for, qualified. ``record`` is a JSON document.
    """

    request_id: str
    sender_arn: str
    target_arn: str
    trace_header: str
    record: bytes


class Destinations(Protocol):
    """Takes invocation records. ``invoke`` implements it for functions."""

    async def deliver(self, delivery: Delivery) -> None:
        """Hand a record over; the target has it durably when this returns, perhaps twice.

        Raises:
            AwsError: the target does not take it.
        """
        ...


class LogEvent(NamedTuple):
    """One log event. ``timestamp_ms`` is epoch milliseconds; the message has no final newline."""

    timestamp_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class LogStream:
    """Where log events go. The group and the stream are made when first written to."""

    account: str
    region: str
    group: str
    name: str


class LogSink(Protocol):
    """Takes the log of environments. Implemented by ``services/logs``."""

    def write_nowait(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        """Queue events for the next durable batch, at most a fraction of a second later.

        Past the sink's bound the oldest queued events are dropped, and a line says how many.
        """
        ...


class CodeProvider(Protocol):
    """Unpacked code. Implemented by ``environments``; the control plane waits for it."""

    async def prepare(self, code_sha256: str) -> Path:
        """Unpack the package of that digest once, and return the root of its tree.

        Raises:
            CodeError: the package cannot be unpacked.
        """
        ...

    async def prepare_layers(self, digests: tuple[str, ...]) -> Path:
        """Unpack the layers of those digests, later ones over earlier ones.

        Answers the root of their merged tree.

        Raises:
            CodeError: a layer cannot be unpacked, or the layers do not go together.
        """
        ...


class CodeError(Exception):
    """A package cannot be unpacked. The text is fit for a client."""


@dataclass(frozen=True, slots=True)
class SnapshotFailure:
    """Why a version cannot be snapshotted: its own code failed. Both texts are fit for a client."""

    error_type: str
    message: str


class SnapshotMaker(Protocol):
    """Takes the snapshots of SnapStart. Implemented by ``environments``."""

    async def prepare(self, version: ServingVersion) -> SnapshotFailure | None:
        """Take the snapshot of a version that is being published: its init and its hooks run.

        It takes at most ``max(130 s, the function's timeout)``. None: it is taken, or there can be
        none on this host, which the version's log will say.

        Raises:
            CodeError: the code or a layer cannot be unpacked.
        """
        ...


class ObjectReader(Protocol):
    """Reads objects of Amazon S3 for a caller, with the caller's permissions."""

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, *, bytes_max: int
    ) -> bytes:
        """The whole object, or that version of it.

        An object of more than ``bytes_max`` bytes may be answered cut to one byte more.

        Raises:
            ObjectError: S3 refuses.
        """
        ...


class ObjectError(Exception):
    """What S3 answers to a GetObject that it refuses: its error code and text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key that may sign requests. ``session_token`` is None for a long-lived key."""

    access_key_id: str
    secret_access_key: str
    principal: Principal
    session_token: str | None = None
    expires_at_s: float | None = None


class KeyRing(Protocol):
    """Finds the key that a request claims to be signed with. Implemented by ``services/iam``."""

    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        """The key, or None if it is unknown or the token is not the one issued with it.

        Never blocks. Expiry is for the caller to judge, with its own clock.
        """
        ...


class RoleCredentials(Protocol):
    """Issues temporary credentials of a role. Implemented by ``services/iam``."""

    def issue(self, *, role_arn: str, session_name: str, duration_s: int) -> AccessKey:
        """A new session of the role, valid from now for ``duration_s`` seconds."""
        ...


class RuntimeFacts(Protocol):
    """What the control plane may ask about runtimes. Implemented by ``runtimes``."""

    def unavailable(self, identifier: str) -> str | None:
        """None if this host can run the identifier, else a sentence that names the fix."""
        ...

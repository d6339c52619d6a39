"""How calls reach functions, and how their answers go back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from alonzo.lib.policies.evaluation import Policies
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal
from alonzo.model.function_urls import FunctionUrl
from alonzo.model.invocations import InvokeRequest, InvokeResult
from alonzo.model.provisioned import Allocation, ProvisionedFigures


class Invoker(Protocol):
    """Runs functions. Implemented by ``invoke``."""

    async def invoke(self, request: InvokeRequest) -> InvokeResult:
        """Run one call to its end (or, for an event, to its durable acceptance).

        Raises:
            AwsError: the call was refused before any function code ran for it.
        """
        ...

    async def stream(self, request: InvokeRequest, sink: ResponseSink) -> InvokeResult:
        """Run one call to its end, and hand its response on while it comes.

        Returns at the end of the response. ``payload`` of the result is the error document if
        ``function_error`` is set, and else empty. A client that has gone does not end the call.

        Raises:
            AwsError: the call was refused before any function code ran for it, and before
                ``sink.start``.
        """
        ...


class ClientGoneError(Exception):
    """The client left before its request, or the answer to it, was whole."""


@dataclass(frozen=True, slots=True)
class StreamHead:
    """What is known of a streamed response before its first byte.

    ``content_type`` is the one that the function states, or None.
    """

    executed_version: str
    trace_header: str | None
    content_type: str | None


class ResponseSink(Protocol):
    """Takes the response to one call of ``Invoker.stream``."""

    def start(self, head: StreamHead) -> None:
        """Take the head: once, as soon as there is a first byte, or an end without one."""
        ...

    async def write(self, data: bytes) -> None:
        """Take a piece, which is not empty. Waits while the client is slower than the function.

        Raises:
            ClientGoneError: nobody takes any more; nothing else will be handed over.
        """
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What policies know of a signed caller.

    ``policies`` are their own: of user or role, boundary and session. ``tags``: of user or role.
    """

    policies: Policies
    tags: Mapping[str, str]


#: The standing of a caller as it is now. Implemented by ``services/iam``.
StandingOf = Callable[[Principal], Awaitable[Standing]]


class FunctionUrls(Protocol):
    """Finds function URLs. Implemented by ``invoke``."""

    async def find(self, url_id: str) -> FunctionUrl | None:
        """The URL of that id as it is now, or None. From memory, but for the first time."""
        ...


class RuntimeFacts(Protocol):
    """What the control plane may ask about runtimes. Implemented by ``runtimes``."""

    def unavailable(self, identifier: str) -> str | None:
        """None if this host can run the identifier, else a sentence that names the fix."""
        ...


class ProvisionedConcurrency(Protocol):
    """What has become of provisioned concurrency on this node. Implemented by ``invoke``."""

    def allocation(self, key: FunctionKey, qualifier: str, revision_id: str) -> Allocation:
        """Of the configuration of an alias or a version, as the store has it under that revision.

        Never blocks. One that is not known yet is IN_PROGRESS.
        """
        ...

    def figures(self) -> Sequence[ProvisionedFigures]:
        """Of every version that has some. Never blocks."""
        ...

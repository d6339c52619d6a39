"""Where code comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from alonzo.model.context import RequestContext
from alonzo.model.functions import ServingVersion


class CodeProvider(Protocol):
    """Unpacked code. Implemented by ``environments``; the control plane waits for it."""

    async def prepare(self, code_sha256: str) -> Path:
        """Unpack the package of that digest once, and return the root of its tree.

        Raises:
            CodeError: the package cannot be unpacked.
            AwsError: one of Lambda's ``KMS…Exception``s: it is sealed, and cannot be opened now.
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

        It takes at most ``max(130 s, the function's timeout)``. None: it is taken, or the platform
        could not; the version's first call then does it.

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

"""The body of a request that is taken in while it arrives, of any length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol


class UploadBody(Protocol):
    """One body, to be read once, piece by piece, no faster than its reader takes it.

    Nothing may come of it before the last piece was read without an error: signatures and digests
    are known to be right only then.
    """

    @property
    def length(self) -> int | None:
        """How many bytes there will be, without framing; None: the client did not say."""
        ...

    @property
    def trailer_names(self) -> tuple[str, ...]:
        """Fields that will follow the bytes, in lower case."""
        ...

    @property
    def trailers(self) -> Mapping[str, str]:
        """Those fields; filled once the last piece was read."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces, none of them empty.

        Raises:
            AwsError: the framing, a signature or a digest is wrong.
            AuthFailure: likewise, under its name of the edge.
            ClientGoneError: the rest will never come.
        """
        ...

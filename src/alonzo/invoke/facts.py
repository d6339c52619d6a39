"""What those who call functions by themselves must know of one. From memory, mostly."""

from __future__ import annotations

from alonzo.invoke.directory import Directory
from alonzo.model.arns import FunctionRef
from alonzo.model.errors import AwsError
from alonzo.model.event_sources import FunctionFacts


class DirectoryFacts:
    """``ports.event_sources.FunctionLookup`` over the directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def facts(self, ref: FunctionRef) -> FunctionFacts | None:
        """What is known of the function now, or None: it is not there, or cannot serve yet."""
        try:
            target = await self._directory.resolve(ref)
        except AwsError:
            return None
        version = target.version
        return FunctionFacts(version.role, version.timeout_s, target.reservations.function)

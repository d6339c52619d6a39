"""What every operation of the control plane works with, gathered once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.control.code_keys import SealedPackages
from alonzo.control.environment import Variables
from alonzo.control.links import CodeLinks
from alonzo.control.objects import read_package
from alonzo.control.packages import Packages
from alonzo.control.rules import Rules, RuntimeCatalog, check_available
from alonzo.control.settings import ControlSettings
from alonzo.lib.clock import Clock, utc
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.deliveries import DestinationChecks
from alonzo.model.ports.code import ObjectReader
from alonzo.model.ports.event_sources import SourceChecks
from alonzo.model.ports.invoking import ProvisionedConcurrency
from alonzo.store.base import Store


@dataclass(frozen=True, slots=True)
class Tools:
    """The parts, as ``functions.py`` puts them together."""

    store: Store
    packages: Packages
    runtimes: RuntimeCatalog
    clock: Clock
    ids: IdSource
    settings: ControlSettings
    links: CodeLinks
    objects: ObjectReader
    provisioned: ProvisionedConcurrency
    targets: DestinationChecks
    sources: SourceChecks
    variables: Variables
    sealed: SealedPackages

    def rules(self) -> Rules:
        """The rules as of now: some depend on the date."""
        return Rules(
            settings=self.settings,
            runtimes=self.runtimes,
            today=utc(self.clock.now_s()).date(),
        )

    async def package(
        self, context: RequestContext, source: Mapping[str, Any], zip_file: bytes | None
    ) -> bytes:
        """``zip_file``, or where it is None, the package in S3 that ``source`` names.

        Raises:
            AwsError: InvalidParameterValueException; it repeats what S3 says.
        """
        if zip_file is not None:
            return zip_file
        return await read_package(
            self.objects, context, source, bytes_max=self.settings.zip_bytes_max
        )

    async def check_runtime_available(self, name: str) -> None:
        """Refuse a runtime that this host lacks. The first call for a runtime takes a while.

        Raises:
            AwsError: InvalidParameterValueException; it names the fix.
        """
        check_available(name, await asyncio.to_thread(self.runtimes.unavailable, name))

"""How the processes of a home come to serve: they are initialised, or restored.

With SnapStart both happen, one after the other and possibly long apart. An init ends where a
snapshot would be taken: the hooks for that have run, and the runtime waits. What waits there is
restored in one of two ways: it goes on itself, or a fork of it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alonzo.environments.extensions.api import FunctionFacts
from alonzo.environments.extensions.external import extension_variables
from alonzo.environments.extensions.runner import Extensions
from alonzo.environments.home import Home
from alonzo.environments.inits import InitFailure, init_failure
from alonzo.environments.metadata import DATE, MetadataApi, metadata_variables
from alonzo.environments.package import Package
from alonzo.environments.parameters_extension import ParametersExtension
from alonzo.environments.reporter import Reporter
from alonzo.environments.signals import Ready, Signal
from alonzo.environments.snapshot_credentials import CredentialsApi
from alonzo.environments.snapshot_rules import (
    TEMPLATE,
    restore_variables,
    snapshot_variables,
)
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.variables import RUNTIME_API_PORT, SNAP_START
from alonzo.model.arns import runtime_version_arn
from alonzo.model.functions import ServingVersion


@dataclass(frozen=True, slots=True)
class Beginning:
    """Brings up the processes of ``home``, for one version, and tells ``reporter`` about it.

    ``on_idle_loss`` is called if the runtime ends while nobody waits for it. Both ways answer why
    it failed, or None, and how many milliseconds it took.
    """

    home: Home
    version: ServingVersion
    package: Package
    around: Surroundings
    reporter: Reporter
    on_idle_loss: Callable[[], None]

    async def init(
        self,
        how: str,
        *,
        timeout_s: float,
        names: Sequence[str] = (),
        phase: str = "init",
        log_stream: str = "",
        template: bool = False,
    ) -> tuple[InitFailure | None, float]:
        """Initialise: the extensions of these ``names``, then the runtime.

        ``how`` is the initialization type. ``template``: what waits in the end will be forked.

        Raises:
            EnvironmentStoppedError: it was ended from outside.
            SandboxError: it could not even be tried.
        """
        extensions = self._extensions(names)
        if how == SNAP_START:
            variables = self._snapshot_variables(extensions, template=template)
        else:
            variables = self.home.variables(
                self.version,
                self.package.launch,
                log_stream=log_stream,
                initialization_type=how,
            )
        variables |= self._mount_metadata(extensions)
        self.reporter.init_start(phase, self._runtime_version())
        began_s = self.around.clock.monotonic_s()
        signal = await self._run(extensions, variables, timeout_s)
        init_ms = (self.around.clock.monotonic_s() - began_s) * 1000
        if how == SNAP_START and self.home.runtime is not None:
            # Nothing more comes of it until it is restored, for somebody else's log perhaps.
            self.home.runtime.finish_output()
        failed = init_failure(signal)
        extensions.report_init(done=failed is None)
        error_type = None if failed is None else failed.error_type
        self.reporter.init_done(init_ms=init_ms, phase=phase, error_type=error_type)
        return failed, init_ms

    async def restore(self, timeout_s: float) -> tuple[InitFailure | None, float]:
        """Restore what waits in the home; where nothing does, the home makes a fork of it.

        Raises:
            EnvironmentStoppedError: it was ended from outside.
            SandboxError: it could not even be tried.
        """
        waiting, began_s = self.home.extensions, self.around.clock.monotonic_s()
        if waiting is not None:
            waiting.tell(self.reporter)
            self.reporter.restore_start(self._runtime_version())
            signal = await self.home.restore(
                self.package.launch,
                on_idle_loss=self.on_idle_loss,
                emit=self.reporter.function_output,
                timeout_s=timeout_s,
            )
        else:
            extensions = self._extensions(())
            variables = restore_variables(self._mount_credentials(extensions))
            variables |= self._mount_metadata(extensions)
            self.reporter.restore_start(self._runtime_version())
            signal = await self._run(extensions, variables, timeout_s)
            extensions.report_init(done=isinstance(signal, Ready))
        restore_ms = (self.around.clock.monotonic_s() - began_s) * 1000
        failed = init_failure(signal)
        error_type = None if failed is None else failed.error_type
        self.reporter.restore_done(restore_ms=restore_ms, error_type=error_type)
        return failed, restore_ms

    async def _run(
        self, extensions: Extensions, variables: Mapping[str, str], timeout_s: float
    ) -> Signal:
        theirs: Mapping[str, str] = {}
        if not extensions.is_empty:
            theirs = extension_variables(
                variables,
                of_runtime=self.package.launch.environment,
                users=self.version.environment,
            )
        self.home.parameters = ParametersExtension.wanted(self.version, self.around)
        return await self.home.run(
            self.package.launch,
            variables,
            extensions=extensions,
            variables_of_extensions=theirs,
            on_idle_loss=self.on_idle_loss,
            emit=self.reporter.function_output,
            timeout_s=timeout_s,
        )

    def _extensions(self, names: Sequence[str]) -> Extensions:
        key, version = self.version.key, self.version
        facts = FunctionFacts(key.name, version.version, version.handler, key.account)
        return Extensions(self.home.sandbox, names, facts, self.reporter, self.around)

    def _snapshot_variables(self, extensions: Extensions, *, template: bool) -> dict[str, str]:
        """What a process knows that is to wait: nothing that ends before it does."""
        variables = self.home.variables(
            self.version,
            self.package.launch,
            log_stream="",
            initialization_type=SNAP_START,
            credentials=CredentialsApi.nobody(),
        )
        api = f"127.0.0.1:{self.home.port(RUNTIME_API_PORT)}"
        variables = snapshot_variables(
            variables, api=api, token=self._mount_credentials(extensions)
        )
        return {**variables, **(TEMPLATE if template else {})}

    def _mount_credentials(self, extensions: Extensions) -> str:
        """Serve the role's credentials inside; answers the token that asks for them."""
        token = self.around.ids.hex(32)
        extensions.server.mount("credentials", CredentialsApi(self.version, self.around, token))
        return token

    def _mount_metadata(self, extensions: Extensions) -> dict[str, str]:
        """Serve where the environment is; answers the variables that say how to ask."""
        token = self.around.ids.hex(32)
        extensions.server.mount(DATE, MetadataApi(self.version.key.region, token))
        return metadata_variables(f"127.0.0.1:{self.home.port(RUNTIME_API_PORT)}", token)

    def _runtime_version(self) -> tuple[str, str] | None:
        """Name and ARN, if the runtime has a version."""
        name = self.package.launch.version_name
        if name is None:
            return None
        return name, runtime_version_arn(self.version.key.region, self.version.runtime)

"""KMS, Parameter Store and Secrets Manager put together: what they share, and their own work.

Two of them encrypt with the keys of the third, as their callers may: they ask the authorizer.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.control.policies.lookup import FunctionPolicies
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.access import AccessRules
from alonzo.model.ports.identity import Authorizer, ResourcePolicies
from alonzo.model.ports.invoking import Invoker
from alonzo.model.ports.operations import Operations
from alonzo.services.kms import access as kms_access
from alonzo.services.kms import api as kms_api
from alonzo.services.kms.encryption import Encryption
from alonzo.services.kms.keeper import Keeper
from alonzo.services.kms.use import KeyUse
from alonzo.services.kms.vault import Vault
from alonzo.services.secretsmanager import access as secretsmanager_access
from alonzo.services.secretsmanager import api as secretsmanager_api
from alonzo.services.secretsmanager.directory import Directory
from alonzo.services.secretsmanager.rotator import Rotator
from alonzo.services.ssm import access as ssm_access
from alonzo.services.ssm import api as ssm_api
from alonzo.store.base import Store


class SecretServices:
    """The parts of the three services."""

    def __init__(
        self,
        store: Store,
        secret: bytes,
        invoker: Invoker,
        authorizer: Authorizer,
        functions: FunctionPolicies,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        """``secret`` seals the materials of keys; ``functions`` say who may call them."""
        self._store = store
        self._clock = clock
        self._functions = functions
        self._authorize = authorizer.authorize
        self.vault = Vault(store, secret, clock=clock, ids=ids)
        self.keys = KeyUse(self.vault)
        self.encryption = Encryption(self.keys, self._authorize)
        self.directory = Directory(store, clock=clock, ids=ids)
        self.rotator = Rotator(self.directory, invoker, functions)
        #: Resource-based policies, by the name of the service in ARNs.
        self.policies: Mapping[str, ResourcePolicies] = {
            "kms": self.vault,
            "secretsmanager": self.directory,
        }

    def operations(self) -> Mapping[str, Operations]:
        """The operations of each service."""
        return {
            "kms": kms_api.operations(self.keys),
            "ssm": ssm_api.operations(
                store=self._store, encryption=self.encryption, clock=self._clock
            ),
            "secretsmanager": secretsmanager_api.operations(
                directory=self.directory,
                encryption=self.encryption,
                rotator=self.rotator,
                function_policies=self._functions,
                authorize=self._authorize,
            ),
        }

    def access(self) -> Mapping[str, AccessRules]:
        """What the operations of each service need to be allowed."""
        return {
            "kms": kms_access.access_rules(self.vault),
            "ssm": ssm_access.access_rules(),
            "secretsmanager": secretsmanager_access.access_rules(self.directory),
        }

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.vault.open()
        await self.directory.open()

    def close(self) -> None:
        """Nothing listens to changes."""

    def end_waits(self) -> None:
        """No request waits for long."""

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {"keys": Keeper(self.vault).run(), "secrets": self.rotator.run()}

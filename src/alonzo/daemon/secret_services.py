"""KMS, Parameter Store and Secrets Manager put together: what they share, and their own work.

Two of them encrypt with the keys of the third, as their callers may; so they ask the authorizer,
which is made after them and handed in by ``connect``.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.control.policies.lookup import FunctionPolicies
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.ports.identity import Authorizer, ResourcePolicies
from alonzo.model.ports.invoking import Invoker
from alonzo.services.kms.encryption import Encryption
from alonzo.services.kms.keeper import Keeper
from alonzo.services.kms.use import KeyUse
from alonzo.services.kms.vault import Vault
from alonzo.services.secretsmanager.directory import Directory
from alonzo.services.secretsmanager.rotator import Rotator
from alonzo.store.base import Store


class SecretServices:
    """The parts of the three services."""

    def __init__(
        self, store: Store, secret: bytes, invoker: Invoker, *, clock: Clock, ids: IdSource
    ) -> None:
        """``secret`` seals the materials of keys."""
        self.vault = Vault(store, secret, clock=clock, ids=ids)
        self.keys = KeyUse(self.vault)
        self.encryption = Encryption(self.keys, self.authorize)
        self.directory = Directory(store, clock=clock, ids=ids)
        self.functions = FunctionPolicies(store)
        self.rotator = Rotator(self.directory, invoker, self.functions)
        #: Resource-based policies, by the name of the service in ARNs.
        self.policies: Mapping[str, ResourcePolicies] = {
            "lambda": self.functions,
            "kms": self.vault,
            "secretsmanager": self.directory,
        }
        self._authorizer: Authorizer | None = None

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.vault.open()
        await self.directory.open()

    def connect(self, authorizer: Authorizer) -> None:
        """From now on requests may come."""
        self._authorizer = authorizer

    def close(self) -> None:
        """Stop listening to changes."""
        self.functions.close()

    async def authorize(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> None:
        """Let a call pass that one of the services makes for its caller.

        Raises:
            AwsError: the caller may not.
        """
        assert self._authorizer is not None
        await self._authorizer.authorize(context, service, operation, params)

    def end_waits(self) -> None:
        """No request waits for long."""

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {"keys": Keeper(self.vault).run(), "secrets": self.rotator.run()}

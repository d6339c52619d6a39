"""What stands for something that is made when it is first needed; whoever calls it has it made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from alonzo.edge.models import service_model
from alonzo.lib.once import Once
from alonzo.model.errors import AwsError
from alonzo.model.ports.operations import Operation, Operations

if TYPE_CHECKING:
    from alonzo.daemon.secret_services import SecretServices
    from alonzo.daemon.storage_services import StorageServices
    from alonzo.lib.clock import Clock
    from alonzo.lib.tasks import TaskScope
    from alonzo.model.context import RequestContext
    from alonzo.model.ports.identity import AccessKey, Sealed
    from alonzo.model.sessions import RoleRequest, WebIdentity
    from alonzo.services.iam.federation import Federation
    from alonzo.services.iam.identities import Identities
    from alonzo.services.iam.keys import KeyRing


T = TypeVar("T")


class OnDemand(Once[T]):
    """Something that requests need."""

    async def need(self) -> T:
        """It, for a request.

        Raises:
            AwsError: ServiceUnavailable: it cannot be had now; the next request has it tried again.
        """
        try:
            return await self.get()
        except AwsError:
            raise
        except Exception as error:
            # Logged with its cause by the owner of the task that has failed.
            raise AwsError(
                "ServiceUnavailable",
                "The platform could not start this service; each request has it tried again.",
                status=503,
            ) from error


class LaterOperations(Mapping[str, Operation]):
    """The operations of one service: what its model has and is not declined."""

    def __init__(
        self,
        service: str,
        declined: Mapping[str, str],
        opened: Callable[[str], Operations | None],
        opening: Callable[[str], Awaitable[Operations]],
    ) -> None:
        """``opened`` answers a service's own table, if it is open; ``opening`` has it opened."""
        self._service = service
        self._declined = declined
        self._opened = opened
        self._opening = opening

    def __getitem__(self, name: str) -> Operation:
        opened = self._opened(self._service)
        if opened is not None:
            return opened[name]
        if name not in self._names():
            raise KeyError(name)

        async def call(context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any] | None:
            operations = await self._opening(self._service)
            return await operations[name](context, params)

        return call

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> frozenset[str]:
        return frozenset(service_model(self._service).operation_names) - self._declined.keys()


class LaterEncryption:
    """Encryption by KMS. Implements ``ports.FunctionKeys``."""

    def __init__(self, secrets: OnDemand[SecretServices]) -> None:
        self._secrets = secrets

    @property
    def generation(self) -> int:
        """See ``ports.Encryption``."""
        secrets = self._secrets.value
        return 0 if secrets is None else secrets.encryption.generation

    async def seal(
        self,
        context: RequestContext,
        key_id: str,
        plaintext: bytes,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        action: str = "GenerateDataKey",
    ) -> Sealed:
        """See ``ports.Encryption``."""
        encryption = (await self._secrets.need()).encryption
        return await encryption.seal(
            context, key_id, plaintext, encryption_context, service=service, action=action
        )

    async def check_seal(
        self,
        context: RequestContext,
        key_id: str,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        action: str = "GenerateDataKey",
    ) -> None:
        """See ``ports.Encryption``."""
        encryption = (await self._secrets.need()).encryption
        await encryption.check_seal(
            context, key_id, encryption_context, service=service, action=action
        )

    async def open(
        self,
        context: RequestContext,
        sealed: bytes,
        encryption_context: Mapping[str, str],
        *,
        service: str,
    ) -> bytes:
        """See ``ports.Encryption``."""
        encryption = (await self._secrets.need()).encryption
        return await encryption.open(context, sealed, encryption_context, service=service)

    async def let_decrypt(
        self,
        context: RequestContext,
        key_id: str,
        grantee: str,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        name: str,
    ) -> None:
        """See ``ports.FunctionKeys``."""
        encryption = (await self._secrets.need()).encryption
        await encryption.let_decrypt(
            context, key_id, grantee, encryption_context, service=service, name=name
        )

    async def end_leave(self, account: str, region: str, prefix: str) -> None:
        """See ``ports.FunctionKeys``. Where there is no key, there is no leave."""
        if self._secrets.value is not None:
            await self._secrets.value.encryption.end_leave(account, region, prefix)


class LaterBuckets:
    """The buckets, as far as anybody may see them. Implements ``ports.buckets.Buckets``.

    As long as S3 is not open, there are none.
    """

    def __init__(self, storage: OnDemand[StorageServices]) -> None:
        self._storage = storage

    def exists_nowait(self, name: str) -> bool:
        """See ``Buckets``."""
        storage = self._storage.value
        return storage is not None and storage.front.exists_nowait(name)

    def preflight_nowait(
        self, name: str, origin: str, method: str, headers: Sequence[str]
    ) -> Mapping[str, str] | None:
        """See ``Buckets``."""
        storage = self._storage.value
        if storage is None:
            return None
        return storage.front.preflight_nowait(name, origin, method, headers)

    def cross_origin_nowait(self, name: str, origin: str, method: str) -> Mapping[str, str]:
        """See ``Buckets``."""
        storage = self._storage.value
        return {} if storage is None else storage.front.cross_origin_nowait(name, origin, method)


class LaterObjects:
    """Objects of S3 for Lambda. Implements ``ports.ObjectReader``."""

    def __init__(self, storage: OnDemand[StorageServices]) -> None:
        self._storage = storage

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, *, bytes_max: int
    ) -> bytes:
        """See ``ports.ObjectReader``."""
        packages = (await self._storage.need()).packages
        return await packages.read(context, bucket, key, version, bytes_max=bytes_max)


class LaterFederation:
    """Sessions of those whom identity providers vouch for. Implements ``ports.Federation``."""

    def __init__(
        self, identities: Identities, keys: KeyRing, folder: Path, clock: Clock, scope: TaskScope
    ) -> None:
        """``folder`` may have a file with keys of issuers."""

        def load() -> Federation:
            from alonzo.services.iam.federation import Federation
            from alonzo.services.iam.issuer_keys import FILE_NAME, IssuerKeys

            return Federation(identities, keys, IssuerKeys(folder / FILE_NAME, clock))

        self._federation = OnDemand(
            lambda: asyncio.to_thread(load), scope, name="opening federation"
        )

    async def assume_role_with_web_identity(
        self, context: RequestContext, request: RoleRequest, token_text: str
    ) -> tuple[AccessKey, WebIdentity]:
        """See ``ports.Federation``."""
        federation = await self._federation.need()
        return await federation.assume_role_with_web_identity(context, request, token_text)

"""The keys that objects are sealed with: asked of KMS as the caller may, or brought by them.

A data key of KMS belongs to one object, or, with a bucket key, to what one caller writes into a
bucket for a while. Bucket keys are in memory; whatever happens to any key of KMS ends them all, so
a key that is disabled is disabled for them, too. Whoever uses one must be allowed to make one, each
time: what IAM, a session or a condition takes from the caller counts at once. To read, KMS is asked
each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import ANONYMOUS, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import Encryption
from alonzo.services.s3 import facts
from alonzo.services.s3.objects import encryption, sealing
from alonzo.services.s3.objects.encryption import OWN, Params, Wanted
from alonzo.services.s3.objects.sealing import ObjectKey
from alonzo.services.s3.records import CUSTOMER, AtRest, Bucket, ObjectVersion, Upload

#: How long a bucket key makes new objects. AWS only says that it is short.
BUCKET_KEY_AGE_S_MAX = 60.0
#: Bucket keys in memory; the oldest goes first.
BUCKET_KEYS_MAX = 1024

_SERVICE = "s3"

#: Whose bucket key it is: bucket, key, caller, and what they added to the context.
_Holder = tuple[int, str, str, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class _BucketKey:
    at_rest: AtRest
    data_key: bytes
    generation: int
    made_at_s: float

    def __repr__(self) -> str:
        return f"_BucketKey({self.at_rest.key_arn})"


class ObjectKeys:
    """Finds the key of an object, or makes one."""

    def __init__(self, kms: Encryption, clock: Clock, ids: IdSource) -> None:
        self._kms = kms
        self._clock = clock
        self._ids = ids
        self._bucket_keys = OrderedDict[_Holder, _BucketKey]()

    async def for_new(
        self, context: RequestContext, bucket: Bucket, key: str, params: Params, action: str
    ) -> tuple[AtRest | None, ObjectKey | None]:
        """How a new object is to be encrypted; None twice: with the platform's own keys alone.

        ``action`` is what the caller does, as in policies.

        Raises:
            AwsError: InvalidArgument, AccessDenied, or KMS refuses.
        """
        name = encryption.name_of(bucket, key)
        who = context.principal.arn
        encryption.check_customer_write(params, bucket, name, who, action)
        customers = encryption.customer_key(params, writes=True)
        if customers is not None:
            at_rest = AtRest(CUSTOMER, check=sealing.check_of(customers))
            return at_rest, ObjectKey(customers, name)
        wanted = encryption.wanted(params, bucket)
        if wanted is None:
            return None, None
        if _signs_too_little(context):
            raise encryption.needs_signature()
        if wanted.has_bucket_key:
            shared = await self._bucket_key(context, bucket, wanted)
            return shared.at_rest, ObjectKey(shared.data_key, name)
        at_rest, data_key = await self._data_key(context, bucket, wanted, name)
        return at_rest, ObjectKey(data_key, name)

    async def for_part(
        self, context: RequestContext, bucket: Bucket, upload: Upload, number: int, params: Params
    ) -> ObjectKey | None:
        """The key of a part of an upload that is under way.

        Raises:
            AwsError: InvalidRequest, AccessDenied, or KMS refuses.
        """
        at_rest, name = upload.description.at_rest, encryption.name_of(bucket, upload.key)
        who = context.principal.arn
        encryption.check_customer_write(params, bucket, name, who, "PutObject")
        brought = encryption.customer_key(params, writes=True)
        is_customers = at_rest is not None and at_rest.algorithm == CUSTOMER
        if is_customers is not (brought is not None):
            raise encryption.part_needs_same_key()
        if at_rest is None:
            return None
        if brought is None:
            return (await self._opened(context, bucket, at_rest, name)).of_part(number)
        if not sealing.fits(brought, at_rest.check):
            raise encryption.part_has_other_key()
        return ObjectKey(brought, name, number)

    async def for_reading(
        self,
        context: RequestContext,
        bucket: Bucket,
        version: ObjectVersion,
        params: Params,
        prefix: str = OWN,
    ) -> ObjectKey | None:
        """The key of an object; None: the platform's own.

        ``prefix`` is that of the members which may bring a customer's key.

        Raises:
            AwsError: InvalidRequest, AccessDenied, or KMS refuses.
        """
        at_rest, name = version.description.at_rest, encryption.name_of(bucket, version.key)
        brought = self.check_reading(context, version, params, prefix)
        if at_rest is None:
            return None
        if brought is not None:
            return ObjectKey(brought, name)
        return await self._opened(context, bucket, at_rest, name)

    def check_reading(
        self, context: RequestContext, version: ObjectVersion, params: Params, prefix: str = OWN
    ) -> bytes | None:
        """Whether a caller may see what is said of an object; KMS is not asked.

        Answers the customer's key, if it is encrypted with one.

        Raises:
            AwsError: InvalidRequest, AccessDenied.
        """
        at_rest = version.description.at_rest
        brought = encryption.customer_key(params, prefix, writes=False)
        if at_rest is None or at_rest.algorithm != CUSTOMER:
            if brought is not None:
                raise encryption.not_applicable()
            if at_rest is not None and _signs_too_little(context):
                raise encryption.needs_signature()
            return None
        if brought is None:
            raise encryption.needs_customer_key()
        if not sealing.fits(brought, at_rest.check):
            raise encryption.wrong_customer_key()
        return brought

    async def _bucket_key(
        self, context: RequestContext, bucket: Bucket, wanted: Wanted
    ) -> _BucketKey:
        caller = context.principal
        # Sessions of one role may have different policies: they differ by their access keys.
        holder = (
            bucket.id,
            f"{context.account}/{wanted.key_id}",
            caller.arn,
            caller.access_key_id,
            tuple(sorted(wanted.context.items())),
        )
        found = self._bucket_keys.get(holder)
        now_s = self._clock.now_s()
        if found is not None and self._is_good(found, now_s):
            await self._check(context, bucket, wanted)
            # The key may have been disabled meanwhile.
            if self._is_good(found, now_s):
                return found
        # Before KMS is asked: what happens meanwhile ends this one, too.
        generation = self._kms.generation
        at_rest, data_key = await self._data_key(context, bucket, wanted, bucket.arn)
        made = _BucketKey(at_rest, data_key, generation, now_s)
        self._forget(now_s)
        self._bucket_keys[holder] = made
        self._bucket_keys.move_to_end(holder)
        return made

    def _is_good(self, found: _BucketKey, now_s: float) -> bool:
        is_young = 0 <= now_s - found.made_at_s < BUCKET_KEY_AGE_S_MAX
        return is_young and found.generation == self._kms.generation

    def _forget(self, now_s: float) -> None:
        """What is good no more, and the oldest if there are too many."""
        gone = [h for h, each in self._bucket_keys.items() if not self._is_good(each, now_s)]
        for holder in gone:
            del self._bucket_keys[holder]
        while len(self._bucket_keys) >= BUCKET_KEYS_MAX:
            self._bucket_keys.popitem(last=False)

    async def _check(self, context: RequestContext, bucket: Bucket, wanted: Wanted) -> None:
        """Whether the caller may have a bucket key, as of now."""
        bound_to = _bound_to(bucket, "", wanted.context, shared=True)
        try:
            await self._kms.check_seal(
                _at(context, bucket), wanted.key_id, bound_to, service=_SERVICE
            )
        except AwsError as error:
            raise encryption.refused_by_kms(error) from error

    async def _data_key(
        self, context: RequestContext, bucket: Bucket, wanted: Wanted, name: str
    ) -> tuple[AtRest, bytes]:
        data_key = bytes.fromhex(self._ids.hex(sealing.KEY_BYTES))
        bound_to = _bound_to(bucket, name, wanted.context, shared=wanted.has_bucket_key)
        try:
            sealed = await self._kms.seal(
                _at(context, bucket), wanted.key_id, data_key, bound_to, service=_SERVICE
            )
        except AwsError as error:
            raise encryption.refused_by_kms(error) from error
        at_rest = AtRest(
            wanted.algorithm,
            sealed.key_arn,
            sealed.data,
            wanted.context,
            has_bucket_key=wanted.has_bucket_key,
        )
        return at_rest, data_key

    async def _opened(
        self, context: RequestContext, bucket: Bucket, at_rest: AtRest, name: str
    ) -> ObjectKey:
        if _signs_too_little(context):
            raise encryption.needs_signature()
        bound_to = _bound_to(bucket, name, at_rest.context, shared=at_rest.has_bucket_key)
        try:
            data_key = await self._kms.open(
                _at(context, bucket), at_rest.data_key, bound_to, service=_SERVICE
            )
        except AwsError as error:
            raise encryption.refused_by_kms(error) from error
        return ObjectKey(data_key, name)


def _signs_too_little(context: RequestContext) -> bool:
    """Whether the request is signed by nobody, or in the old way."""
    return context.principal == ANONYMOUS or facts.is_signed_old(context)


def _bound_to(
    bucket: Bucket, name: str, context: Mapping[str, str], *, shared: bool
) -> Mapping[str, str]:
    return encryption.context_for(bucket, name, context, shared=shared)


def _at(context: RequestContext, bucket: Bucket) -> RequestContext:
    """Keys are those of the bucket's region, wherever it was asked."""
    return context if context.region == bucket.region else replace(context, region=bucket.region)

"""Lets requests for S3 in, each in the way that its operation needs.

* A bucket in the host is moved into the path, for the codec; what is signed is the path as it came.
* PutObject and UploadPart get their body while it arrives; the signature of the head is checked
  before the first byte of it is read. Other bodies are short, and whole.
* Who signs nothing is anonymous: the policy of the bucket decides.
* An upload from a form (``posting``) becomes the PutObject that it stands for.
* Browsers that ask first (``OPTIONS``) are answered from the bucket's CORS rules.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alonzo.edge import models
from alonzo.edge.answers import is_form
from alonzo.edge.call import Call
from alonzo.edge.door import Door, decode
from alonzo.edge.http1.head import Head
from alonzo.edge.http1.room import Room
from alonzo.edge.protocols.query_strings import parse_pairs
from alonzo.edge.s3.address import bucket_in, in_path_style, is_bucket_name, split_path
from alonzo.edge.s3.body import StreamedBody
from alonzo.edge.s3.documents import INLINE_BYTES_MAX, LongDocuments, bytes_max_of
from alonzo.edge.s3.forms import FIELDS_BYTES_MAX, FileEnd, FormReader, boundary_of, malformed
from alonzo.edge.s3.post_policy import Range, check_policy
from alonzo.edge.s3.posting import FileBody, Posted, check_old, claim_of, is_form_post, pieces_of
from alonzo.edge.s3.presigned_v2 import OldClaim, read_old_claim
from alonzo.edge.sigv4.claim import Claim
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal
from alonzo.lib.clock import Clock
from alonzo.model.context import ANONYMOUS, Principal
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.ports.buckets import Buckets

if TYPE_CHECKING:
    from alonzo.model.service_models import OperationModel

SERVICE = "s3"

#: What S3 is told of a request beside its parameters, and ``if-range``, the header, which no model
#: knows: that it was signed with Signature Version 2, or sent from a browser's form.
SIGNED_OLD = {"signature": "v2"}
SENT_AS_FORM = {"sent-as": "form"}

#: The largest body of PutObject and UploadPart. Source: S3 User Guide, quotas.
UPLOAD_BYTES_MAX = 5 * 1024**3

#: What all uploads together may have in memory.
ROOM_BYTES = 64 * 1024**2

#: What a browser may ask for in one header.
_HEADERS_MAX = 100


class S3Gate:
    """What stands between a request for S3 and its operation."""

    def __init__(
        self,
        door: Door,
        buckets: Buckets | None,
        clock: Clock,
        region: str,
        names: frozenset[str] = frozenset(),
    ) -> None:
        """Without ``buckets`` there is no S3 here. ``region`` is for URLs that name none.

        ``names`` are hosts that name the platform, and so no bucket.
        """
        self._names = names
        self._clock = clock
        self._region = region
        self._door = door
        self._buckets = buckets
        self._documents = LongDocuments()
        self._room = Room(ROOM_BYTES)

    def owns(self, head: Head) -> bool:
        """Whether an unsigned request that fits no service is for a bucket, or for one that is not.

        Forms of the query protocol show only in their bodies what they are.
        """
        if self._buckets is None:
            return False
        bucket = self._bucket_of(head)
        if self._buckets.exists_nowait(bucket):
            return True
        return is_bucket_name(bucket) and not is_form(head.fields.get(b"content-type"))

    async def admit(self, call: Call, claim: Claim | None) -> Principal:
        """Let a call in; then its body, or how to read it, is known.

        Raises:
            AuthFailure: the signature is wrong.
            AwsError: the body's framing is wrong.
            BodyTooLargeError: a document is too long.
        """
        head, door = call.head, self._door
        condition = head.fields.get(b"if-range")
        if condition is not None:
            call.facts = {"if-range": condition.decode("latin-1")}
        bucket = bucket_in(head.fields.get(b"host", b""), self._names)
        call.path = in_path_style(bucket, head.raw_path)
        key = None if claim is None else door.find_key(claim)
        stranger = None
        if claim is None and door.is_locked:
            old = read_old_claim(head, self._region)
            stranger = ANONYMOUS if old is None else self._vouched(old, call)
        if _takes_upload(head, call.path):
            # The claimed digest is what is signed; the body is held against it as it comes.
            digest = head.fields.get(b"x-amz-content-sha256", b"").decode("latin-1")
            principal, seal = door.admit(head, b"", claim, key, digest)
            call.upload = StreamedBody(call.incoming, seal, self._room, bytes_max=UPLOAD_BYTES_MAX)
        else:
            body_hash = door.hash_of(head, key)
            bytes_max = bytes_max_of(head, call.path, is_stranger=stranger is ANONYMOUS)
            body = call.try_body(bytes_max) if body_hash is None else None
            if body is None:
                body = await call.read_body(bytes_max, body_hash)
            body_sha256 = None if body_hash is None else await body_hash.hex()
            principal, seal = door.admit(head, body, claim, key, body_sha256)
            if seal is not None:
                call.body = await decode(seal, head, body)
        return principal if stranger is None else stranger

    def takes_form(self, head: Head) -> bool:
        """Whether a request is an upload from a form."""
        if not is_form_post(head):
            return False
        bucket = bucket_in(head.fields.get(b"host", b""), self._names)
        return not split_path(in_path_style(bucket, head.raw_path))[1]

    async def admit_form(self, call: Call) -> tuple[Principal, str | None]:
        """Let an upload from a form in; who sends it, and the region that it is signed for.

        Raises:
            AuthFailure: the signature is wrong.
            AwsError: it is no form, or not what its policy allows.
        """
        head = call.head
        call.facts = SENT_AS_FORM
        boundary = boundary_of(head.fields[b"content-type"])
        if boundary is None:
            raise malformed()
        bytes_max = UPLOAD_BYTES_MAX + FIELDS_BYTES_MAX
        body = StreamedBody(call.incoming, None, self._room, bytes_max=bytes_max)
        pieces, reader, form = pieces_of(body), FormReader(boundary), None
        async for piece in pieces:
            form = reader.feed(piece)
            if form is not None:
                break
        if form is None:
            raise malformed()
        posted = Posted(call.request, self._bucket_of(head), form)
        principal, region = self._signer_of(posted, call)
        policy, sizes = posted.fields.get("policy"), Range()
        if policy is not None:
            sizes = check_policy(policy, posted.fields, self._clock.now_s())
        call.form = posted
        call.upload = FileBody(form.rest, pieces, FileEnd(boundary), sizes, body.length)
        return principal, region

    def _signer_of(self, posted: Posted, call: Call) -> tuple[Principal, str | None]:
        fields, door = posted.fields, self._door
        claim = claim_of(fields, self._region)
        key = None
        if claim is not None and door.is_locked:
            key = door.find_key(claim)
        if claim is None or key is None:
            admitted = ANONYMOUS
            if not door.is_locked:
                admitted, _ = door.admit(call.head, b"", None, None, None)
            return admitted, None if claim is None else claim.region
        if claim.timestamp is None:
            check_old(claim, fields["policy"], key.secret_access_key)
            call.facts = {**call.facts, **SIGNED_OLD}
            return key.principal, claim.region
        if claim.service != SERVICE:
            text = f"Credential should be scoped to correct service: '{SERVICE}'. "
            raise AuthFailure(Refusal.MISMATCH, text)
        return door.admit_form(fields["policy"], claim, key), claim.region

    def _vouched(self, old: OldClaim, call: Call) -> Principal:
        """The caller of a URL that was signed the old way.

        Raises:
            AuthFailure: there is no such key, or the signature is wrong.
        """
        key = self._door.find_key(old.claim)
        assert key is not None, "a locked door has keys"
        path = call.head.raw_path if call.path is None else call.path
        old.check(call.head, path, key.secret_access_key, self._clock.now_s())
        call.facts = {**call.facts, **SIGNED_OLD}
        return key.principal

    async def try_parse(self, request: HttpRequest) -> tuple[OperationModel, dict[str, Any]] | None:
        """The operation and its parameters, if the document is long; None: parse it as any.

        Raises:
            AwsError: as ``Codec.parse``.
        """
        if len(request.body) <= INLINE_BYTES_MAX:
            return None
        return await self._documents.parse(request)

    def preflight(self, head: Head) -> HttpResponse:
        """The answer to a browser that asks whether it may send a request.

        Raises:
            AwsError: it may not.
        """
        fields = head.fields
        origin, method = fields.get(b"origin"), fields.get(b"access-control-request-method")
        if origin is None or method is None:
            raise AwsError(
                "BadRequest",
                "Insufficient information. Origin request header needed.",
                status=400,
            )
        wanted = fields.get(b"access-control-request-headers", b"").decode("latin-1").split(",")
        names = [name.strip().lower() for name in wanted if name.strip()]
        found = None
        if self._buckets is not None and len(names) <= _HEADERS_MAX:
            found = self._buckets.preflight_nowait(
                self._bucket_of(head), origin.decode("latin-1"), method.decode("latin-1"), names
            )
        if found is None:
            raise AwsError(
                "AccessForbidden",
                "CORSResponse: This CORS request is not allowed. This is usually because the "
                "evalution of Origin, request method / Access-Control-Request-Method or "
                "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
                status=403,
                members={"Method": method.decode("latin-1")[:100], "ResourceType": "OBJECT"},
            )
        return HttpResponse(200, found)

    def cross_origin(self, head: Head) -> Mapping[str, str]:
        """What an answer says to the browser that it may be for."""
        origin = head.fields.get(b"origin")
        if origin is None or self._buckets is None:
            return {}
        return self._buckets.cross_origin_nowait(
            self._bucket_of(head), origin.decode("latin-1"), head.method
        )

    def _bucket_of(self, head: Head) -> str:
        bucket = bucket_in(head.fields.get(b"host", b""), self._names)
        return split_path(in_path_style(bucket, head.raw_path))[0]


def _takes_upload(head: Head, path: bytes) -> bool:
    if head.method != "PUT" or not split_path(path)[1]:
        return False
    if b"x-amz-copy-source" in head.fields:
        return False
    return not head.query or _subresources().isdisjoint(name for name, _ in parse_pairs(head.query))


@functools.cache
def _subresources() -> frozenset[str]:
    """Names in the query by which a ``PUT`` of a key is another operation, with a document."""
    model = models.service_model(SERVICE)
    targets = (model.operation_model(name).http for name in model.operation_names)
    return frozenset(
        part.partition("=")[0]
        for http in targets
        if http["method"] == "PUT" and "+}?" in http["requestUri"]
        for part in http["requestUri"].partition("?")[2].split("&")
    )

"""ACLs of buckets and objects: which are taken, and which are refused. Pure.

All belongs to the owner of the bucket, and the policy of the bucket says who else may. Where a
bucket has ACLs (another ownership than ``BucketOwnerEnforced``), one that says the same is taken,
and one that would let others in is refused by name.

Source: S3 user guide, controlling ownership of objects and disabling ACLs; blocking public access;
API reference, PutBucketAcl, PutObjectAcl; canned ACL.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from alonzo.model.errors import AwsError
from alonzo.services.s3.buckets.asking import document_of, not_implemented, part
from alonzo.services.s3.buckets.names import canonical_id
from alonzo.services.s3.buckets.settings import OWNERSHIP, PUBLIC_ACCESS
from alonzo.services.s3.errors import invalid_argument, invalid_request, s3_error
from alonzo.services.s3.records import Bucket

Params = Mapping[str, Any]

ENFORCED = "BucketOwnerEnforced"
#: What counts where nothing is said. Source: S3 API reference, DeleteBucketOwnershipControls.
_WITHOUT_CONTROLS = "ObjectWriter"

_FULL = "bucket-owner-full-control"
#: Canned ACLs that give nobody but the bucket's owner anything.
_OWNERS = frozenset({"private", _FULL, "bucket-owner-read"})
#: Those that let in everybody, or everybody with an account: AWS calls both public.
_PUBLIC = frozenset({"public-read", "public-read-write", "authenticated-read"})
_OTHERS = frozenset({"aws-exec-read", "log-delivery-write"})

_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")
_PUBLIC_GROUPS = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)


def check_write(params: Params, bucket: Bucket) -> None:
    """An object may be written with the ACL that the request names.

    Raises:
        AwsError: AccessControlListNotSupported, AccessDenied, InvalidArgument, NotImplemented.
    """
    if params.get("ACL") is None and not _grants(params):
        return
    if ownership_of(bucket) != ENFORCED:
        _check(params, bucket)
    elif params.get("ACL") != _FULL and not _grants_owner_alone(params, bucket):
        raise acl_refused()


def check_put(params: Params, bucket: Bucket) -> None:
    """The ACL of a bucket or of an object in it may be replaced so.

    Raises:
        AwsError: AccessControlListNotSupported, AccessDenied, InvalidArgument, NotImplemented, …
    """
    if ownership_of(bucket) == ENFORCED:
        raise acl_refused()
    document = params.get("AccessControlPolicy")
    if params.get("ACL") is None and not document and not _grants(params):
        raise s3_error("MissingSecurityHeader", "Your request was missing a required header", 400)
    _check(params, bucket)


def check_new(params: Params, account: str, ownership: str) -> None:
    """A new bucket of an account may have the ACL that the request names.

    Raises:
        AwsError: InvalidBucketAclWithObjectOwnership, NotImplemented, …
    """
    asked = _asked(params, account)
    if params.get("ACL") in (None, "private") and asked is _Asked.OWNERS and not _grants(params):
        return
    if ownership == ENFORCED:
        raise s3_error(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            400,
        )
    if asked is _Asked.PUBLIC:
        # A new bucket has the block on public access.
        raise s3_error(
            "InvalidBucketAclWithBlockPublicAccessError",
            "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
            400,
        )
    if asked is _Asked.OTHERS:
        raise _others_refused()


def ownership_of(bucket: Bucket) -> str:
    """The object ownership of a bucket."""
    return document_of(bucket, OWNERSHIP) or _WITHOUT_CONTROLS


def owner_acl(bucket: Bucket) -> dict[str, Any]:
    """The ACL of a bucket, and of what is in it."""
    owner = {"ID": canonical_id(bucket.account)}
    grantee = {"Type": "CanonicalUser", **owner}
    return {"Owner": owner, "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]}


def acl_refused() -> AwsError:
    """ACLs are not to be had."""
    return s3_error("AccessControlListNotSupported", "The bucket does not allow ACLs", 400)


def _check(params: Params, bucket: Bucket) -> None:
    """Where a bucket has ACLs."""
    asked = _asked(params, bucket.account)
    blocked: Params = document_of(bucket, PUBLIC_ACCESS) or {}
    if asked is _Asked.PUBLIC and blocked.get("BlockPublicAcls"):
        raise s3_error("AccessDenied", "Access Denied", 403)
    if asked is not _Asked.OWNERS:
        raise _others_refused()


class _Asked(Enum):
    """Whom an ACL lets in beside the owner of the bucket."""

    OWNERS = "nobody"
    PUBLIC = "everybody, or everybody with an account"
    OTHERS = "some"


def _asked(params: Params, account: str) -> _Asked:
    canned, given = params.get("ACL"), _grants(params)
    if canned is not None and given:
        raise invalid_request("Specifying both Canned ACLs and Header Grants is not allowed")
    if canned is not None and canned not in _OWNERS | _PUBLIC | _OTHERS:
        raise invalid_argument("", "x-amz-acl", str(canned)[:100])
    grantees = [_grantee(each) for each in part(params, "AccessControlPolicy").get("Grants") or ()]
    grantees += [text.strip() for header in given for text in header.split(",")]
    public = canned in _PUBLIC or any(
        group in grantee for grantee in grantees for group in _PUBLIC_GROUPS
    )
    if public:
        return _Asked.PUBLIC
    owner = f"id={canonical_id(account)}"
    if canned in _OTHERS or any(grantee.replace('"', "") != owner for grantee in grantees):
        return _Asked.OTHERS
    return _Asked.OWNERS


def _grants(params: Params) -> list[str]:
    """What headers grant."""
    return [str(params[name]) for name in _GRANTS if params.get(name)]


def _others_refused() -> AwsError:
    return not_implemented(
        "ACLs that let others in are not supported by Alonzo: use the bucket's policy."
    )


def _grantee(grant: Params) -> str:
    """A grant of a document as a header would name its grantee."""
    grantee = part(grant, "Grantee")
    for member, name in (("ID", "id"), ("URI", "uri"), ("EmailAddress", "emailAddress")):
        if grantee.get(member):
            return f"{name}={grantee[member]}"
    return ""


def _grants_owner_alone(params: Params, bucket: Bucket) -> bool:
    """Whether headers say what ``bucket-owner-full-control`` says."""
    if params.get("ACL") is not None or any(map(params.get, _GRANTS[1:])):
        return False
    text = str(params["GrantFullControl"]).replace('"', "").strip()
    return text == f"id={canonical_id(bucket.account)}"

"""Uploads from a browser's form: the PutObject that a form stands for, and the answer to it.

    POST /BUCKET                 multipart/form-data: key, policy, signature, ..., file

Source: S3 API reference, POST Object.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from urllib.parse import quote, urlencode, urlsplit

from alonzo.edge.http1.head import Head
from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.xml import escape, parse_xml
from alonzo.edge.s3.body import StreamedBody
from alonzo.edge.s3.forms import FileEnd, Form, malformed
from alonzo.edge.s3.post_policy import Range
from alonzo.edge.sigv4.claim import Claim, Terms, form_claim
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse

#: Fields that are headers of PutObject by another name, or by the same.
_HEADERS = {
    "acl": b"x-amz-acl",
    **{
        name: name.encode()
        for name in (
            *("cache-control", "content-disposition", "content-encoding", "content-language"),
            *("content-md5", "content-type", "expires"),
            *("x-amz-acl", "x-amz-sdk-checksum-algorithm", "x-amz-storage-class"),
            *("x-amz-object-lock-legal-hold", "x-amz-object-lock-mode"),
            *("x-amz-object-lock-retain-until-date", "x-amz-website-redirect-location"),
        )
    },
}
_HEADER_PREFIXES = ("x-amz-meta-", "x-amz-server-side-encryption", "x-amz-checksum-")
_FILENAME = "${filename}"
_FILENAME_CHARS_MAX = 1024
_TAGS_NODES_MAX = 100
#: What the name of a header may be.
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")


class Posted:
    """One form, and what comes of it. ``request`` is the PutObject that it stands for."""

    def __init__(self, request: HttpRequest, bucket: str, form: Form) -> None:
        """``request`` is the form's, with the bucket in its path.

        Raises:
            AwsError: it names no key, or something that no header can hold.
        """
        self.bucket = bucket
        if "key" not in form.fields:
            raise missing("key")
        # Before the policy is asked, which is about what is meant.
        filename = form.filename[:_FILENAME_CHARS_MAX]
        given = {name: text.replace(_FILENAME, filename) for name, text in form.fields.items()}
        self.fields = fields = {**given, "bucket": bucket}
        self.key = fields["key"]
        if not self.key:
            raise _invalid("User key must have a length greater than 0.", "key")
        headers = [(name, value) for name, value in request.headers if name == b"host"]
        headers += [(name, _header(value)) for name, value in _headers_of(fields)]
        path = f"/{bucket}/{quote(self.key, safe='/')}".encode()
        self.request = replace(
            request, method="PUT", raw_path=path, query=b"", headers=tuple(headers)
        )

    def answer(self, response: HttpResponse, endpoint: str) -> HttpResponse:
        """The answer to the form, from that to PutObject."""
        found = {name.lower(): value for name, value in response.headers.items()}
        etag = found.get("etag", "")
        location = f"{endpoint}/{self.bucket}/{quote(self.key, safe='')}"
        headers = {k: v for k, v in response.headers.items() if k.lower() != "content-type"}
        target = self._redirect()
        if target is not None:
            told = urlencode({"bucket": self.bucket, "key": self.key, "etag": etag})
            joint = "&" if urlsplit(target).query else "?"
            address, mark, fragment = target.partition("#")
            return HttpResponse(
                303, {**headers, "Location": f"{address}{joint}{told}{mark}{fragment}"}
            )
        headers["Location"] = location
        status = self.fields.get("success_action_status")
        if status == "201":
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                f"<PostResponse><Location>{escape(location)}</Location>"
                f"<Bucket>{escape(self.bucket)}</Bucket><Key>{escape(self.key)}</Key>"
                f"<ETag>{escape(etag)}</ETag></PostResponse>"
            )
            return HttpResponse(201, {**headers, "Content-Type": "application/xml"}, body.encode())
        return HttpResponse(200 if status == "200" else 204, headers)

    def _redirect(self) -> str | None:
        target = self.fields.get("success_action_redirect") or self.fields.get("redirect")
        if not target or not target.isascii() or not target.isprintable() or " " in target:
            return None
        try:
            parts = urlsplit(target)
        except ValueError:
            return None
        return target if parts.scheme in ("http", "https") and parts.netloc else None


class FileBody:
    """The file in a form as a body that arrives. Implements ``model.uploads.UploadBody``.

    ``length`` is an upper bound: only the end of the file tells.
    """

    trailer_names = ()
    trailers: Mapping[str, str] = {}

    def __init__(
        self,
        first: bytes,
        pieces: AsyncIterator[bytes],
        end: FileEnd,
        sizes: Range,
        length: int | None,
    ) -> None:
        """``first`` was read with the fields; ``length`` is that of the whole form."""
        self.length = length
        self._first, self._pieces, self._end, self._range = first, pieces, end, sizes
        self._size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """See ``UploadBody``."""
        first, self._first = self._first, b""
        if piece := self._take(first):
            yield piece
        del first
        async for wire in self._pieces:
            if piece := self._take(wire):
                yield piece
            del wire
        if not self._end.ended:
            raise malformed()
        if self._size < self._range.least:
            raise _size_error(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                self._size,
                MinSizeAllowed=self._range.least,
            )

    def _take(self, wire: bytes) -> bytes:
        piece = self._end.feed(wire)
        self._size += len(piece)
        if self._size > self._range.most:
            raise _size_error(
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed size",
                self._size,
                MaxSizeAllowed=self._range.most,
            )
        return piece


async def pieces_of(body: StreamedBody) -> AsyncIterator[bytes]:
    """The pieces of a body, one iterator for fields and file."""
    async for piece in body:
        yield piece


def claim_of(fields: Mapping[str, str], region: str) -> Claim | None:
    """Who says to have signed the policy of a form; None: nobody, there is none.

    With Signature Version 2 it has no timestamp. ``region`` is for such a claim.

    Raises:
        AwsError: something is missing.
        AuthFailure: the claim is malformed.
    """
    if "policy" not in fields:
        return None
    if "awsaccesskeyid" in fields or "signature" in fields:
        for name, shown in (("awsaccesskeyid", "AWSAccessKeyId"), ("signature", "signature")):
            if name not in fields:
                raise missing(shown)
        terms = Terms(fields["awsaccesskeyid"], "", region, "s3", b"host")
        return Claim(terms, fields["signature"], None, fields.get("x-amz-security-token"))
    for name in ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"):
        if name not in fields:
            raise missing(name)
    return form_claim(fields)


def check_old(claim: Claim, policy: str, secret: str) -> None:
    """Hold a claim of Signature Version 2 against the policy.

    Raises:
        AuthFailure: the signature is wrong.
    """
    made = base64.b64encode(hmac.digest(secret.encode(), policy.encode(), "sha1"))
    if not hmac.compare_digest(made, claim.signature.encode()):
        raise AuthFailure(Refusal.MISMATCH)


def missing(name: str) -> AwsError:
    """A field that must be there is not."""
    return _invalid(
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the "
        "order of the fields.",
        name,
    )


def is_form_post(head: Head) -> bool:
    """Whether a request with the path of a bucket may be an upload from a form."""
    content_type = head.fields.get(b"content-type", b"")
    return (
        head.method == "POST"
        and not head.query
        and content_type[:19].lower() == b"multipart/form-data"
    )


def _headers_of(fields: Mapping[str, str]) -> list[tuple[bytes, str]]:
    found = [
        (_HEADERS.get(name, name.encode()), value)
        for name, value in fields.items()
        if name in _HEADERS or name.startswith(_HEADER_PREFIXES)
    ]
    if not all(name.isascii() and _TOKEN.fullmatch(name.decode()) for name, _ in found):
        raise _invalid("The name of a field is none that a header can have.", "field")
    if "tagging" in fields:
        found.append((b"x-amz-tagging", _tags(fields["tagging"])))
    return found


def _header(value: str) -> bytes:
    # What lies in a header is sent back in one.
    if not value.isprintable():
        raise _invalid("A field holds characters that no header can hold.", "field")
    return value.strip().encode()


def _tags(document: str) -> str:
    """The tags of a document as a header has them."""
    try:
        root = parse_xml(document.encode(), _TAGS_NODES_MAX)
    except Malformed:
        raise _malformed_tags() from None
    pairs: list[tuple[str, str]] = []
    for tag in (tag for tags in root.children for tag in tags.children):
        texts = {each.tag: each.text for each in tag.children}
        if texts.keys() != {"Key", "Value"}:
            raise _malformed_tags()
        pairs.append((texts["Key"], texts["Value"]))
    return urlencode(pairs)


def _malformed_tags() -> AwsError:
    return AwsError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
        status=400,
    )


def _size_error(code: str, text: str, size: int, **limits: int) -> AwsError:
    members = {name: str(limit) for name, limit in limits.items()}
    return AwsError(code, text, status=400, members={"ProposedSize": str(size), **members})


def _invalid(text: str, name: str) -> AwsError:
    return AwsError(
        "InvalidArgument",
        text,
        status=400,
        members={"ArgumentName": name, "ArgumentValue": ""},
    )

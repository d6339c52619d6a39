"""What a client hears when its authentication fails, in the words of the protocol it speaks.

Source: Lambda API and STS API, "Common Errors"; texts as observed from AWS.
"""

from __future__ import annotations

from enum import StrEnum

from alonzo.model.errors import AwsError


class Refusal(StrEnum):
    """Why a request is not let in."""

    MISSING = "missing"
    UNKNOWN_KEY = "unknown key"
    MISMATCH = "mismatch"
    EXPIRED_TOKEN = "expired token"  # noqa: S105 - the name of a verdict
    EXPIRED_REQUEST = "expired request"
    INCOMPLETE = "incomplete"


TEXTS = {
    Refusal.MISSING: "Missing Authentication Token",
    Refusal.UNKNOWN_KEY: "The security token included in the request is invalid.",
    Refusal.MISMATCH: (
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. "
        "Consult the service documentation for details."
    ),
    Refusal.EXPIRED_TOKEN: "The security token included in the request is expired",
    Refusal.EXPIRED_REQUEST: "Request has expired.",
    Refusal.INCOMPLETE: "The request signature does not conform to AWS standards.",
}


class AuthFailure(Exception):
    """A request is not let in. ``text`` is for the client."""

    def __init__(self, refusal: Refusal, text: str | None = None) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.text = TEXTS[refusal] if text is None else text
        #: Whoever knows key and secret does not get here, however wrong their clock or scope is.
        self.is_guess = refusal is Refusal.UNKNOWN_KEY or (
            refusal is Refusal.MISMATCH and text is None
        )


_JSON_CODES = {
    Refusal.MISSING: "MissingAuthenticationTokenException",
    Refusal.UNKNOWN_KEY: "UnrecognizedClientException",
    Refusal.MISMATCH: "InvalidSignatureException",
    Refusal.EXPIRED_TOKEN: "ExpiredTokenException",
    Refusal.EXPIRED_REQUEST: "InvalidSignatureException",
    Refusal.INCOMPLETE: "IncompleteSignatureException",
}
_QUERY_CODES = {
    Refusal.MISSING: "MissingAuthenticationToken",
    Refusal.UNKNOWN_KEY: "InvalidClientTokenId",
    Refusal.MISMATCH: "SignatureDoesNotMatch",
    Refusal.EXPIRED_TOKEN: "ExpiredToken",
    Refusal.EXPIRED_REQUEST: "RequestExpired",
    Refusal.INCOMPLETE: "IncompleteSignature",
}

#: Source: S3 API reference, error responses.
_S3_CODES = {
    Refusal.MISSING: "AccessDenied",
    Refusal.UNKNOWN_KEY: "InvalidAccessKeyId",
    Refusal.MISMATCH: "SignatureDoesNotMatch",
    Refusal.EXPIRED_TOKEN: "ExpiredToken",
    Refusal.EXPIRED_REQUEST: "AccessDenied",
    Refusal.INCOMPLETE: "AuthorizationHeaderMalformed",
}

#: Protocol → codes, and the status of all of them but the "incomplete" one, which is 400.
#: JSON services answer 400 where all others answer 403 (observed: CloudWatch Logs, ECR).
_BY_PROTOCOL = {
    "rest-json": (_JSON_CODES, 403),
    "json": (_JSON_CODES, 400),
    "smithy-rpc-v2-cbor": (_JSON_CODES, 400),
    "query": (_QUERY_CODES, 403),
    "ec2": (_QUERY_CODES, 403),
    "rest-xml": (_QUERY_CODES, 403),
    # Not a protocol: S3 has words of its own.
    "s3": (_S3_CODES, 403),
}


def refuse(failure: AuthFailure, protocol: str) -> AwsError:
    """The failure as an error of the given protocol (a name as in the service models)."""
    codes, status = _BY_PROTOCOL[protocol]
    if failure.refusal is Refusal.INCOMPLETE or (
        protocol == "s3" and failure.refusal is Refusal.EXPIRED_TOKEN
    ):
        status = 400
    return AwsError(codes[failure.refusal], failure.text, status=status)

"""Operations that nobody signs: what stands for the signature is in the request.

Only these pass without one, and only in a short request, of which the body is read to learn what it
asks for. A request that is signed all the same is let in as any other.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from alonzo.edge.http1.head import Head
from alonzo.model.context import Principal

#: Service and operation. Source: service models, ``authtype: none``.
OPEN_OPERATIONS = frozenset(
    {
        # Not offered: who asks for it unsigned, as SDKs do, is to hear that.
        ("sts", "AssumeRoleWithSAML"),
        ("sts", "AssumeRoleWithWebIdentity"),
    }
)

#: A token of 20,000 characters and a policy fit in, however they are escaped.
BODY_BYTES_MAX = 64 * 1024

#: Who calls: the operation itself finds out more.
STRANGER = Principal("anonymous", "anonymous", "anonymous", "")

_FORM = b"application/x-www-form-urlencoded"


def has(service: str, operation: str) -> bool:
    """Whether nobody needs to sign an operation."""
    return (service, operation) in OPEN_OPERATIONS


def may_be_open(head: Head) -> bool:
    """Whether it is worth to read the body of a request that nobody has signed."""
    if head.method == "GET":
        return b"Action=" in head.query
    length = head.fields.get(b"content-length", b"")
    return (
        head.method == "POST"
        and head.fields.get(b"content-type", b"").startswith(_FORM)
        and length.isdigit()
        and len(length) < 8
        and int(length) <= BODY_BYTES_MAX
    )


def is_open(service: str | None, head: Head, body: bytes) -> bool:
    """Whether a query or a form asks for an open operation of the service."""
    if service is None:
        return False
    if head.method == "GET" and body:
        return False  # Codecs read both, and the body's ``Action`` would count.
    fields = head.query if head.method == "GET" else body
    try:
        form = parse_qs(fields.decode("latin-1"), max_num_fields=1000)
    except ValueError:
        return False
    return form.get("Action", []) in [[name] for owner, name in OPEN_OPERATIONS if owner == service]

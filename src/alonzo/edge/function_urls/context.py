"""What policies are told of a call to a function URL. Pure.

Source: IAM user guide, global condition context keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from alonzo.edge.function_urls.event import Call
from alonzo.edge.function_urls.permission import Context
from alonzo.lib.clock import utc
from alonzo.model.callers import principal_context
from alonzo.model.context import Principal


def context_of(
    call: Call,
    region: str,
    principal: Principal | None = None,
    tags: Mapping[str, str] | None = None,
) -> Context:
    """The keys of a call. ``region`` is that of the function, ``tags`` are those of the caller."""
    keys: dict[str, str | tuple[str, ...]] = {
        "aws:sourceip": call.source_ip,
        "aws:securetransport": "true" if call.scheme == "https" else "false",
        "aws:currenttime": utc(call.now_s).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(call.now_s)),
        "aws:requestedregion": region,
    }
    for key, header in (("aws:useragent", b"user-agent"), ("aws:referer", b"referer")):
        if (value := call.head.fields.get(header)) is not None:
            keys[key] = value.decode("latin-1")
    if principal is not None:
        keys |= principal_context(principal, tags)
    return keys

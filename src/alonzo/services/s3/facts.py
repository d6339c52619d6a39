"""What the edge tells S3 of a request beside its parameters (``edge/s3/gate.py``)."""

from __future__ import annotations

from alonzo.model.context import RequestContext


def is_form(context: RequestContext) -> bool:
    """Whether it came as an upload from a browser's form."""
    return context.facts.get("sent-as") == "form"


def is_signed_old(context: RequestContext) -> bool:
    """Whether it was signed with Signature Version 2, as old presigned URLs are."""
    return context.facts.get("signature") == "v2"


def if_range(context: RequestContext) -> str | None:
    """The header of that name, which no service model knows."""
    return context.facts.get("if-range")

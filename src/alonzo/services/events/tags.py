"""Tags of rules and buses, as requests and answers have them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alonzo.model.errors import validation
from alonzo.services.events.errors import limit_exceeded
from alonzo.services.events.limits import TAGS_MAX


def read_tags(
    given: Sequence[Mapping[str, str]] | None, old: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The old tags with the given ones.

    Raises:
        AwsError: a key is reserved or comes twice, or there are too many.
    """
    pairs = given or ()
    found = {pair["Key"]: pair["Value"] for pair in pairs}
    if len(found) < len(pairs):
        raise validation("Duplicated keys are not allowed.")
    if any(key.lower().startswith("aws:") for key in found):
        raise validation("Tag keys must not begin with aws:")
    tags = {**(old or {}), **found}
    if len(tags) > TAGS_MAX:
        raise limit_exceeded("The maximum number of tags has been reached.")
    return tags


def shown(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags as answers have them."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]

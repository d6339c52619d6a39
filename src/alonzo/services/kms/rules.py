"""Decisions of KMS that need no store: names of keys, page markers, tags. Pure.

Source: KMS API reference, ``KeyId``; developer guide, key identifiers.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alonzo.model.errors import validation
from alonzo.services.kms.errors import (
    invalid_arn,
    invalid_key_id,
    invalid_marker,
    tag_error,
)
from alonzo.services.kms.limits import TAGS_MAX

_KEY_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_ARN = re.compile(r"arn:aws[a-zA-Z-]*:kms:(?P<region>[^:]*):(?P<account>\d{12}):(?P<rest>.+)")
_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]+")

#: Aliases that services make for keys of theirs, on first use.
MANAGED_ALIASES = {
    f"alias/aws/{service}": service
    for service in ("lambda", "s3", "secretsmanager", "sns", "sqs", "ssm")
}
RESERVED_ALIAS = "alias/aws/"


@dataclass(frozen=True, slots=True)
class KeyName:
    """What a ``KeyId`` names: a key by its id, or by an alias. One of the two is set."""

    account: str
    region: str
    key_id: str | None = None
    alias: str | None = None

    @property
    def arn(self) -> str:
        """The ARN of the key or of the alias."""
        return arn_of(self.account, self.region, self.alias or f"key/{self.key_id}")


def arn_of(account: str, region: str, resource: str) -> str:
    """An ARN of KMS; ``resource`` is ``key/…`` or ``alias/…``."""
    return f"arn:aws:kms:{region}:{account}:{resource}"


def parse_key_name(text: str, *, account: str, region: str) -> KeyName:
    """Read a ``KeyId``: the id or ARN of a key, the name or ARN of an alias.

    Raises:
        AwsError: NotFoundException: it is none of these. InvalidArnException: another region's.
    """
    if text.startswith("arn:"):
        found = _ARN.fullmatch(text)
        if found is None:
            raise invalid_arn(text)
        if found["region"] != region:
            raise invalid_arn(found["region"])
        account, text = found["account"], found["rest"].removeprefix("key/")
        if found["rest"] == text and not text.startswith("alias/"):
            raise invalid_arn(found[0])
    if _ALIAS.fullmatch(text):
        return KeyName(account, region, alias=text)
    if _KEY_ID.fullmatch(text):
        return KeyName(account, region, key_id=text)
    raise invalid_key_id(text)


def one_page(
    entries: Sequence[Any], names: Sequence[str], limit: int, marker: str | None
) -> tuple[list[Any], dict[str, Any]]:
    """Entries after the marker, and the members that say whether more follow.

    ``names`` are the entries' own, in the order of both; a marker holds the last one shown.
    """
    after = "" if marker is None else _read_marker(marker)
    rest = [(name, entry) for name, entry in zip(names, entries, strict=True) if name > after]
    shown = [entry for _, entry in rest[:limit]]
    if len(rest) <= limit:
        return shown, {"Truncated": False}
    last = rest[limit - 1][0]
    return shown, {
        "Truncated": True,
        "NextMarker": base64.urlsafe_b64encode(last.encode()).decode(),
    }


def _read_marker(marker: str) -> str:
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_marker() from error


def read_tags(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """``Tags`` as a mapping.

    Raises:
        AwsError: TagException.
    """
    found = {tag["TagKey"]: tag["TagValue"] for tag in tags}
    if len(found) != len(tags):
        raise tag_error("Duplicate tag keys are not allowed.")
    for key in found:
        if key.lower().startswith("aws:"):
            raise tag_error("Tag keys that begin with aws: are reserved.")
    check_tag_count(found)
    return found


def check_tag_count(tags: Mapping[str, str]) -> None:
    """Refuse more tags than a key may have.

    Raises:
        AwsError: TagException.
    """
    if len(tags) > TAGS_MAX:
        raise tag_error(f"A KMS key can have no more than {TAGS_MAX} tags.")


def check_range(value: int, least: int, most: int, member: str) -> None:
    """Refuse a number outside of what the guide allows, which is less than the model does.

    Raises:
        AwsError: ValidationException.
    """
    if value < least or value > most:
        side, end = ("greater", least) if value < least else ("less", most)
        raise validation(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
            f"constraint: Member must have value {side} than or equal to {end}"
        )

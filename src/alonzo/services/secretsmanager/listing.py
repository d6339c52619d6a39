"""Lists of secrets: filters, orders, pages. Pure.

Source: Secrets Manager API reference, ListSecrets, Filter; user guide, find secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.services.secretsmanager.errors import invalid_parameter
from alonzo.services.secretsmanager.records import Secret
from alonzo.services.secretsmanager.rules import read_token, write_token

_NOT = "!"


def filtered(secret: Secret, filters: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a secret fits all filters; of the values of one, any."""
    return all(_fits(secret, str(each["Key"]), each["Values"]) for each in filters)


def check_filters(filters: Sequence[Mapping[str, Any]]) -> None:
    """Refuse filters without a key or values, which the model lets pass. The text is ours.

    Raises:
        AwsError: InvalidParameterException.
    """
    if not all(each.get("Key") and each.get("Values") for each in filters):
        raise invalid_parameter("A filter needs a key and values.")


def one_page(
    secrets: Sequence[Secret], params: Mapping[str, Any], limit: int
) -> tuple[list[Secret], Mapping[str, Any]]:
    """The secrets of a page in the order that was asked for, and the token of the next."""
    by = params.get("SortBy", "created-date")
    backwards = params.get("SortOrder", "desc") == "desc"
    keyed = sorted(((_key(each, by), each) for each in secrets), key=lambda pair: pair[0])
    if backwards:
        keyed.reverse()
    token = params.get("NextToken")
    if token is not None:
        after = read_token(token)
        kind = str if by == "name" else (int, float)
        if isinstance(after[0], kind):
            keyed = [pair for pair in keyed if (pair[0] < after if backwards else pair[0] > after)]
    size = int(params.get("MaxResults", limit))
    shown = [secret for _, secret in keyed[:size]]
    if len(keyed) <= size:
        return shown, {}
    return shown, {"NextToken": write_token(list(keyed[size - 1][0]))}


def _key(secret: Secret, by: str) -> tuple[Any, str]:
    if by == "name":
        return secret.name, secret.id
    if by == "created-date":
        return secret.created_at_s, secret.id
    member = {"last-accessed-date": "LastAccessedDate", "last-changed-date": "LastChangedDate"}[by]
    return secret.document.get(member, 0.0), secret.id


def _fits(secret: Secret, key: str, values: Sequence[str]) -> bool:
    wanted = [each for each in values if not each.startswith(_NOT)]
    unwanted = [each[1:] for each in values if each.startswith(_NOT)]
    if any(_matches(secret, key, each) for each in unwanted):
        return False
    return not wanted or any(_matches(secret, key, each) for each in wanted)


def _matches(secret: Secret, key: str, value: str) -> bool:
    """Names and tags begin so, with case; descriptions, and ``all``, without."""
    if key == "name":
        return secret.name.startswith(value)
    if key == "tag-key":
        return any(each.startswith(value) for each in secret.tags)
    if key == "tag-value":
        return any(each.startswith(value) for each in secret.tags.values())
    if key == "primary-region":
        return secret.region.startswith(value)
    if key == "owning-service":
        return False
    description = str(secret.document.get("Description", "")).lower()
    if key == "description":
        return _has_word(description, value.lower())
    texts = [secret.name, description, *secret.tags, *secret.tags.values()]
    return all(
        any(_has_word(text.lower(), word) for text in texts) for word in value.lower().split()
    )


def _has_word(text: str, beginning: str) -> bool:
    return text.startswith(beginning) or any(
        word.startswith(beginning) for word in text.replace("/", " ").replace("-", " ").split()
    )

"""Decisions of Secrets Manager that need no store: names, values, passwords, schedules. Pure.

Source: Secrets Manager API reference; user guide, rotation schedules.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from alonzo.model.errors import validation
from alonzo.services.secretsmanager.errors import (
    invalid_parameter,
    invalid_token,
    limit_exceeded,
    no_secret,
)
from alonzo.services.secretsmanager.limits import (
    DAY_S,
    PASSWORD_LENGTH_DEFAULT,
    RECOVERY_DAYS_DEFAULT,
    RECOVERY_DAYS_MAX,
    RECOVERY_DAYS_MIN,
    ROTATION_S_MIN,
    TAGS_MAX,
    VALUE_BYTES_MAX,
)

_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]+")
_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:secretsmanager:(?P<region>[^:]*):(?P<account>\d{12}):secret:(?P<rest>.+)"
)
_SUFFIXED = re.compile(r"(?P<name>.+)-(?P<suffix>[A-Za-z0-9]{6})")
_RATE = re.compile(r"rate\(\s*(?P<count>[1-9]\d{0,4})\s+(?P<unit>hours?|days?)\s*\)")
_SUFFIX_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class SecretName:
    """What a ``SecretId`` may mean. ``suffixed``: name and suffix, if it can be read so."""

    account: str
    region: str
    name: str
    suffixed: tuple[str, str] | None = None


def arn_of(account: str, region: str, name: str, suffix: str) -> str:
    """The ARN of a secret."""
    return f"arn:aws:secretsmanager:{region}:{account}:secret:{name}-{suffix}"


def read_secret_id(text: str, *, account: str, region: str) -> SecretName:
    """Read a name, or an ARN with or without its six random characters.

    Raises:
        AwsError: ResourceNotFoundException: the ARN is no secret's of this region.
    """
    if not text.startswith("arn:"):
        return SecretName(account, region, text)
    found = _ARN.fullmatch(text)
    if found is None or found["region"] != region:
        raise no_secret()
    cut = _SUFFIXED.fullmatch(found["rest"])
    suffixed = None if cut is None else (cut["name"], cut["suffix"])
    return SecretName(found["account"], region, found["rest"], suffixed)


def check_name(name: str) -> None:
    """Refuse a name that no secret may get.

    Raises:
        AwsError: ValidationException.
    """
    if _NAME.fullmatch(name) is None:
        raise validation(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the "
            "following: -/_+=.@!"
        )


def value_of(params: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """The value of a request: ``string`` or ``binary``, and its bytes. None if it has none.

    Raises:
        AwsError: InvalidParameterException: it has both.
    """
    text, binary = params.get("SecretString"), params.get("SecretBinary")
    if text is not None and binary is not None:
        raise invalid_parameter(
            "You can't specify both a binary secret value and a string secret value in the same "
            "secret."
        )
    if text is not None:
        raw = str(text).encode("utf-8", "surrogatepass")
    elif binary is not None:
        raw = bytes(binary)
    else:
        return None
    if len(raw) > VALUE_BYTES_MAX:
        raise validation(
            f"1 validation error detected: the secret value has {len(raw)} bytes; at most "
            f"{VALUE_BYTES_MAX} are allowed."
        )
    return ("binary" if text is None else "string"), raw


def read_tags(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """``Tags`` as a mapping. The texts are ours.

    Raises:
        AwsError: InvalidParameterException, LimitExceededException.
    """
    found = {tag.get("Key", ""): tag.get("Value", "") for tag in tags}
    if any(not key or key.lower().startswith("aws:") for key in found):
        raise invalid_parameter("Tag keys must not be empty or begin with aws:.")
    if len(found) > TAGS_MAX:
        raise limit_exceeded(f"A secret can have no more than {TAGS_MAX} tags.")
    return found


def recovery_s(params: Mapping[str, Any]) -> float:
    """How long a deleted secret can be restored; 0 for not at all.

    Raises:
        AwsError: InvalidParameterException.
    """
    days = params.get("RecoveryWindowInDays")
    if params.get("ForceDeleteWithoutRecovery"):
        if days is not None:
            raise invalid_parameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
            )
        return 0.0
    if days is None:
        days = RECOVERY_DAYS_DEFAULT
    if not RECOVERY_DAYS_MIN <= days <= RECOVERY_DAYS_MAX:
        raise invalid_parameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."
        )
    return float(days * DAY_S)


def period_s(rules: Mapping[str, Any]) -> float | None:
    """How often a secret rotates by itself; None for never.

    Raises:
        AwsError: InvalidParameterException: there are two schedules, or one that is not offered.
    """
    days, expression = rules.get("AutomaticallyAfterDays"), rules.get("ScheduleExpression")
    if days and expression:
        raise invalid_parameter(
            "You can't specify both AutomaticallyAfterDays and ScheduleExpression."
        )
    if days:
        return float(days * DAY_S)
    if not expression:
        return None
    found = _RATE.fullmatch(expression)
    if found is None:
        raise invalid_parameter(
            "The schedule expression is not supported: use rate(N days) or rate(N hours)."
        )
    seconds = int(found["count"]) * (DAY_S if found["unit"].startswith("day") else 3600)
    if seconds < ROTATION_S_MIN:
        raise invalid_parameter("A secret can be rotated every four hours at most.")
    return float(seconds)


#: Answers a number from 0 up to, and without, the one given; unpredictable.
Pick = Callable[[int], int]


def random_suffix(pick: Pick) -> str:
    """The six characters that end an ARN."""
    return "".join(_SUFFIX_LETTERS[pick(len(_SUFFIX_LETTERS))] for _ in range(6))


def random_password(params: Mapping[str, Any], pick: Pick) -> str:
    """A password as GetRandomPassword asks for it. The texts are ours.

    Raises:
        AwsError: InvalidParameterException: nothing is left to make one of.
    """
    length = params.get("PasswordLength", PASSWORD_LENGTH_DEFAULT)
    excluded = set(params.get("ExcludeCharacters", ""))
    kinds = [
        "".join(char for char in letters if char not in excluded)
        for letters, member in (
            (string.ascii_lowercase, "ExcludeLowercase"),
            (string.ascii_uppercase, "ExcludeUppercase"),
            (string.digits, "ExcludeNumbers"),
            (string.punctuation, "ExcludePunctuation"),
        )
        if not params.get(member)
    ]
    if params.get("IncludeSpace") and " " not in excluded:
        kinds.append(" ")
    every = "".join(kinds)
    if not every:
        raise invalid_parameter("No characters are left to make a password of.")
    chosen: list[str] = []
    if params.get("RequireEachIncludedType", True):
        if not all(kinds):
            raise invalid_parameter(
                "Every character of a required type is excluded: exclude the type, or set "
                "RequireEachIncludedType to false."
            )
        if length < len(kinds):
            raise invalid_parameter(
                f"The password length {length} is too short for the required character types."
            )
        chosen = [kind[pick(len(kind))] for kind in kinds]
    chosen += [every[pick(len(every))] for _ in range(length - len(chosen))]
    for place in range(len(chosen) - 1, 0, -1):
        other = pick(place + 1)
        chosen[place], chosen[other] = chosen[other], chosen[place]
    return "".join(chosen)


def write_token(after: list[Any]) -> str:
    """A page token: where the last entry shown stands."""
    return base64.urlsafe_b64encode(json.dumps(after).encode()).decode()


def read_token(token: str) -> tuple[Any, ...]:
    """Where the last entry shown stood.

    Raises:
        AwsError: InvalidNextTokenException.
    """
    try:
        found: Any = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise invalid_token() from error
    if not isinstance(found, list):
        raise invalid_token()
    several = cast("list[Any]", found)
    if len(several) != 2 or not isinstance(several[1], str):
        raise invalid_token()
    return tuple(several)

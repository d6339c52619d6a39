"""Decisions of Parameter Store that need no store: names, selectors, tiers, labels. Pure.

Source: Systems Manager user guide, creating parameters, working with labels; API reference,
PutParameter.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from alonzo.model.errors import AwsError, access_denied, validation
from alonzo.services.ssm.allowed_pattern import AllowedPattern, PatternError
from alonzo.services.ssm.errors import (
    invalid_pattern,
    invalid_token,
    pattern_mismatch,
    too_deep,
)
from alonzo.services.ssm.limits import LEVELS_MAX, NAME_CHARS_MAX, VALUE_BYTES_MAX

_NAME = re.compile(r"[a-zA-Z0-9_.\-/]+")
_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:ssm:(?P<region>[^:]*):(?P<account>\d{12}):parameter/(?P<rest>[^/].*)"
)
_LABEL = re.compile(r"[A-Za-z_.\-][A-Za-z0-9_.\-]*")
_RULES = (
    "If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can "
    "be formed as a mix of letters, numbers and the following 3 symbols .-_"
)


@dataclass(frozen=True, slots=True)
class Selector:
    """What GetParameter names. ``names`` are those that it may mean, ``version`` or ``label`` one.

    ``text`` is the selector as it was written, with its colon; empty for the newest version.
    """

    names: tuple[str, ...]
    version: int | None = None
    label: str | None = None
    text: str = ""


def arn_of(account: str, region: str, name: str) -> str:
    """The ARN of a parameter. Names with and without a leading slash look alike in it."""
    return f"arn:aws:ssm:{region}:{account}:parameter/{name.removeprefix('/')}"


def read_selector(text: str, *, account: str, region: str) -> Selector:
    """Read a name with a version or a label, or an ARN with one.

    Raises:
        AwsError: ParameterNotFound for another account's or region's, ValidationException.
    """
    names, rest = (text,), ""
    if text.startswith("arn:"):
        parts = text.split(":")
        arn, rest = ":".join(parts[:6]), ":".join(parts[6:])
        found = _ARN.fullmatch(arn)
        if found is None or (found["account"], found["region"]) != (account, region):
            raise AwsError("ParameterNotFound", f"Parameter {text} not found.")
        names = (f"/{found['rest']}", found["rest"])
    else:
        name, _, rest = text.partition(":")
        names = (name,)
    if not rest:
        return Selector(names)
    if ":" in rest:
        raise validation(
            "Invalid parameter name. Please use correct syntax for referencing a version/label "
            "<name>:<version/label>"
        )
    version = int(rest) if rest.isascii() and rest.isdigit() and len(rest) < 19 else None
    return Selector(names, version, None if version is not None else rest, f":{rest}")


def check_name(name: str) -> None:
    """Refuse a name that no parameter may get.

    Raises:
        AwsError: ValidationException, AccessDeniedException, HierarchyLevelLimitExceededException.
    """
    lowered = name.lower().lstrip("/")
    is_path = name.count("/") > 1
    if lowered.startswith("aws") and is_path:
        raise access_denied(f"No access to reserved parameter name: {name}.")
    if lowered.startswith(("aws", "ssm")):
        if not is_path:
            raise validation(
                'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).'
            )
        raise validation(
            f'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). {_RULES}'
        )
    if "/" in name and not name.startswith("/"):
        raise validation("Parameter name must be a fully qualified name.")
    if _NAME.fullmatch(name) is None or name.endswith("/") or "//" in name:
        raise validation(
            f'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). {_RULES}'
        )
    if len(name) > NAME_CHARS_MAX:
        raise validation(f"Parameter name: the maximum length is {NAME_CHARS_MAX} characters.")
    if name.count("/") > LEVELS_MAX:
        raise too_deep()


def check_path(path: str) -> None:
    """Refuse what is no path.

    Raises:
        AwsError: ValidationException.
    """
    if not path.startswith("/") or _NAME.fullmatch(path) is None or "//" in path:
        raise validation(
            "The parameter doesn't meet the parameter name requirements. The parameter name must "
            'begin with a forward slash "/". It can\'t be prefixed with "aws" or "ssm" '
            "(case-insensitive). It must use only letters, numbers, or the following symbols: . "
            "(period), - (hyphen), _ (underscore). Special characters are not allowed. All "
            'sub-paths, if specified, must use the forward slash symbol "/". Valid example: '
            "/get/parameters2-/by1./path0_."
        )


def decide_tier(asked: str | None, value: str, before: str | None) -> str:
    """The tier of a new version: as asked, as before, or the least that holds the value.

    Raises:
        AwsError: ValidationException: the value does not fit, or the tier would go down.
    """
    size = len(value.encode("utf-8", "surrogatepass"))
    if asked == "Intelligent-Tiering":
        large = size > VALUE_BYTES_MAX["Standard"] or before == "Advanced"
        tier = "Advanced" if large else "Standard"
    else:
        tier = asked or before or "Standard"
    if before == "Advanced" and tier == "Standard":
        raise validation(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter "
            "from the advanced-parameter tier to the standard-parameter tier. If necessary, you "
            "can delete the advanced parameter and recreate it as a standard parameter."
        )
    if size > VALUE_BYTES_MAX[tier]:
        more = (
            " To create a larger parameter value, upgrade the parameter to use the "
            "advanced-parameter tier. For more information, see https://docs.aws.amazon.com/"
            "systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
        )
        raise validation(
            f"{tier} tier parameters support a maximum parameter value of "
            f"{VALUE_BYTES_MAX[tier]} characters.{more if tier == 'Standard' else ''}"
        )
    return tier


def check_value(value: str, pattern: str | None) -> None:
    """Refuse a value that is empty or does not match its pattern.

    Raises:
        AwsError: ValidationException, InvalidAllowedPatternException,
            ParameterPatternMismatchException.
    """
    if not value:
        raise validation(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1."
        )
    if not pattern:
        return
    try:
        fits = AllowedPattern(pattern).matches(value)
    except PatternError as error:
        raise invalid_pattern(pattern) from error
    if not fits:
        raise pattern_mismatch(pattern)


def is_label(text: str) -> bool:
    """Whether a version may have the label."""
    return _LABEL.fullmatch(text) is not None and not text.lower().startswith(("aws", "ssm"))


def is_below(name: str, path: str, *, recursive: bool) -> bool:
    """Whether a parameter is in a hierarchy: right below its path, or anywhere."""
    prefix = path if path.endswith("/") else f"{path}/"
    if not name.startswith(prefix):
        return path == "/" and not name.startswith("/")
    return recursive or "/" not in name[len(prefix) :]


def write_token(last: str) -> str:
    """A page token: the last entry shown."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def read_token(token: str | None) -> str:
    """The last entry that was shown; empty at the start.

    Raises:
        AwsError: InvalidNextToken.
    """
    if token is None:
        return ""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_token() from error

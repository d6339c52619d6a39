"""Function names in every form that Lambda accepts, and the ARNs made from them.

| Form | Example |
|---|---|
| name | ``f`` |
| name and qualifier | ``f:prod`` |
| partial ARN | ``123456789012:function:f[:prod]``, ``function:f`` |
| ARN | ``arn:aws:lambda:eu-west-1:123456789012:function:f[:prod]`` |

Source: Lambda API, patterns of ``FunctionName`` and ``NamespacedFunctionName``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NamedTuple

from alonzo.model.errors import AwsError, access_denied, invalid_parameter, not_found

LATEST = "$LATEST"

_FORM = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*):lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?P<marker>function:)?"
    r"(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_$]+))?"
)


class FunctionKey(NamedTuple):
    """One function, in one account and region. A tuple, for its hash: each call takes several."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The unqualified ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def path(self) -> str:
        """``account/region/name``: the key under which changes of the function are published."""
        return f"{self.account}/{self.region}/{self.name}"

    @property
    def region_path(self) -> str:
        """``account/region``, which all functions beside this one share."""
        return f"{self.account}/{self.region}"

    @classmethod
    def from_path(cls, path: str) -> FunctionKey:
        """Read ``path`` back."""
        account, region, name = path.split("/")
        return cls(account, region, name)

    def qualified(self, qualifier: str | None) -> str:
        """The ARN with a qualifier, or the unqualified one for None."""
        return self.arn if qualifier is None else f"{self.arn}:{qualifier}"


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function as a caller addressed it: ``qualifier`` is None when none was given."""

    key: FunctionKey
    qualifier: str | None

    @property
    def arn(self) -> str:
        """The ARN as addressed: qualified only if the caller qualified it."""
        return self.key.qualified(self.qualifier)


def parse_function_ref(
    text: str, qualifier: str | None = None, *, account: str, region: str
) -> FunctionRef:
    """Read a ``FunctionName`` parameter and the ``Qualifier`` parameter beside it.

    ``account`` and ``region`` are the caller's, for the forms that leave them out.

    Raises:
        ValidationException: the text has none of the forms.
        InvalidParameterValueException: text and ``qualifier`` name different qualifiers.
        ResourceNotFoundException: the ARN is of another region.
        AccessDeniedException: the ARN is of another account.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy "
            f"constraint: Member must satisfy regular expression pattern: {FUNCTION_NAME_PATTERN}",
            status=400,
        )
    name, inner = found["name"], found["qualifier"]
    if inner is not None and qualifier is not None and inner != qualifier:
        raise invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    if found["region"] is not None and found["region"] != region:
        raise not_found(
            f"Functions from '{found['region']}' are not reachable in this region ('{region}')"
        )
    if found["account"] is not None and found["account"] != account:
        raise access_denied(f"Cross-account access to {text} is not allowed.")
    return FunctionRef(
        FunctionKey(account, region, name), inner if qualifier is None else qualifier
    )


def account_of_function(text: str, account: str) -> str:
    """The account of the function that a text means; ``account`` is for the forms without one."""
    if ":" not in text:
        return account
    found = _FORM.fullmatch(text)
    return account if found is None else found["account"] or account


def runtime_version_arn(region: str, identifier: str) -> str:
    """The ARN that stands for our build of a runtime; the same on every host and after updates.

    AWS gives each build an ARN of its own. Ours names the identifier alone.
    """
    digest = hashlib.sha256(f"alonzo runtime {identifier}".encode()).hexdigest()
    return f"arn:aws:lambda:{region}::runtime:{digest}"


#: The model's own pattern of ``NamespacedFunctionName``, quoted in error messages.
FUNCTION_NAME_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)

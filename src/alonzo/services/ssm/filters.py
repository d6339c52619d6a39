"""Filters of parameter lists. Pure.

Source: API reference, ParameterStringFilter, ParametersFilter; DescribeParameters,
GetParametersByPath.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alonzo.model.errors import AwsError, validation
from alonzo.services.ssm.records import Parameter, Version
from alonzo.services.ssm.rules import check_path, is_below

#: The options of each key for DescribeParameters, the default first. ``tag:`` stands for all tags.
_DESCRIBED = {
    "Name": ("Equals", "BeginsWith", "Contains"),
    "Path": ("OneLevel", "Recursive"),
    "Type": ("Equals", "BeginsWith"),
    "KeyId": ("Equals", "BeginsWith"),
    "Tier": ("Equals",),
    "DataType": ("Equals",),
    "tag:": ("Equals",),
}
#: The same for GetParametersByPath. A label also chooses the version that is shown.
_BY_PATH = {
    "Type": ("Equals", "BeginsWith"),
    "KeyId": ("Equals", "BeginsWith"),
    "Label": ("Equals",),
}

_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "Equals": lambda text, wanted: text == wanted,
    "BeginsWith": lambda text, wanted: text.startswith(wanted),
    "Contains": lambda text, wanted: wanted in text,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter, checked: any of the values must fit."""

    key: str
    option: str
    values: tuple[str, ...]

    def fits(self, parameter: Parameter, version: Version) -> bool:
        """Whether a parameter, with the version that would be shown, is let through."""
        if self.key == "Path":
            recursive = self.option == "Recursive"
            return any(is_below(parameter.name, each, recursive=recursive) for each in self.values)
        if self.key.startswith("tag:"):
            value = parameter.tags.get(self.key.removeprefix("tag:"))
            return value is not None and (not self.values or value in self.values)
        if self.key == "Label":
            return any(each in version.labels for each in self.values)
        text = parameter.name if self.key == "Name" else str(version.document.get(self.key, ""))
        test = _TESTS[self.option]
        if self.key == "Name" and self.option != "Contains":
            # Names with and without the slash at their start are the same to a filter.
            text = text.removeprefix("/")
            return any(test(text, each.removeprefix("/")) for each in self.values)
        return any(test(text, each) for each in self.values)


def read_described(params: Mapping[str, Any]) -> list[Filter]:
    """The filters of DescribeParameters, in either of their two forms.

    Raises:
        AwsError: InvalidFilterKey, InvalidFilterOption, InvalidFilterValue, ValidationException.
    """
    older: Sequence[Mapping[str, Any]] = params.get("Filters") or ()
    newer: Sequence[Mapping[str, Any]] = params.get("ParameterFilters") or ()
    if older and newer:
        raise validation("You can use either Filters or ParameterFilters in a single request.")
    if older:
        # The older form compares names by how they begin.
        return [
            Filter(each["Key"], "BeginsWith", tuple(each.get("Values") or ())) for each in older
        ]
    return _read(newer, _DESCRIBED)


def read_by_path(params: Mapping[str, Any]) -> list[Filter]:
    """The filters of GetParametersByPath.

    Raises:
        AwsError: as for ``read_described``.
    """
    return _read(params.get("ParameterFilters") or (), _BY_PATH)


def _read(
    filters: Sequence[Mapping[str, Any]], allowed: Mapping[str, tuple[str, ...]]
) -> list[Filter]:
    found: list[Filter] = []
    for each in filters:
        key = str(each["Key"])
        options = allowed.get("tag:" if key.startswith("tag:") else key)
        if options is None:
            valid = ", ".join(allowed)
            raise AwsError(
                "InvalidFilterKey",
                f"The following filter key is not valid: {key}. Valid filter keys include: "
                f"[{valid}].",
            )
        option = str(each.get("Option") or options[0])
        if option not in options:
            raise AwsError(
                "InvalidFilterOption",
                f"The following filter option is not valid: {option}. Valid options include: "
                f"[{', '.join(options)}].",
            )
        values = tuple(each.get("Values") or ())
        if not values and not key.startswith("tag:"):
            raise AwsError("InvalidFilterValue", f"The following filter has no values: {key}.")
        if key == "Path":
            for path in values:
                check_path(path)
        found.append(Filter(key, option, values))
    if len({each.key for each in found}) != len(found):
        raise AwsError("InvalidFilterKey", "A filter key can be used once.")
    return found

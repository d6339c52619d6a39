"""Which environment variables a function may have."""

from __future__ import annotations

from typing import Any

import pytest

from alonzo.control.variables import RESERVED_VARIABLES, check_environment
from alonzo.model.errors import AwsError

ENVIRONMENT_REFUSED = (
    "Lambda was unable to configure your environment variables because the environment variables "
    "you have provided "
)


def invalid(work: Any, *args: Any) -> str:
    with pytest.raises(AwsError) as caught:
        work(*args)
    assert caught.value.code == "InvalidParameterValueException"
    return caught.value.message


@pytest.mark.parametrize("name", sorted(RESERVED_VARIABLES))
def test_reserved_variables_are_refused(name: str) -> None:
    assert invalid(check_environment, {"MINE": "1", name: "x", "OTHER": "2"}) == (
        f"{ENVIRONMENT_REFUSED}contains reserved keys that are currently not supported for "
        f"modification. Reserved keys used in this request: {name}"
    )


def test_every_reserved_variable_of_a_request_is_named() -> None:
    message = invalid(check_environment, {"AWS_REGION": "x", "MINE": "1", "_HANDLER": "y"})
    assert message.endswith("request: AWS_REGION, _HANDLER")


@pytest.mark.parametrize("letter", ["x", "é", "\\"])
def test_variables_are_measured_as_json(letter: str) -> None:
    def variables(length: int) -> dict[str, str]:
        return {"NAME": letter * length + "!" * (room % width)}

    width = {"x": 1, "é": 2, "\\": 2}[letter]
    room = 4096 - len('{"NAME":""}')
    check_environment(variables(room // width))
    too_many = variables(room // width + 1)
    text = '{"NAME":"' + too_many["NAME"].replace("\\", "\\\\") + '"}'
    assert invalid(check_environment, too_many) == (
        f"{ENVIRONMENT_REFUSED}exceeded the 4KB limit. String measured: {text}"
    )

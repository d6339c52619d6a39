"""Where an alias may point."""

from __future__ import annotations

from typing import Any

import pytest

from alonzo.control.routing import Routing, check_routing, plan_routing
from alonzo.model.errors import AwsError


def test_no_weights_are_no_routing() -> None:
    for config in (None, {}, {"AdditionalVersionWeights": {}}):
        assert plan_routing("$LATEST", config) is None
    check_routing("$LATEST", None)


@pytest.mark.parametrize("weight", [0, 0.0, 0.25, 1.0])
def test_one_version_beside_gets_its_share(weight: float) -> None:
    config = {"AdditionalVersionWeights": {"2": weight}}
    assert plan_routing("1", config) == Routing("2", float(weight))


@pytest.mark.parametrize(
    ("version", "weights", "text"),
    [
        (
            "1",
            {"2": 0.1, "3": 0.1},
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            "2",
            {"2": 0.1},
            "Invalid function version 2. Function version 2 is already included in routing "
            "configuration.",
        ),
        (
            "$LATEST",
            {"2": 0.1},
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
    ],
)
def test_what_aws_refuses_is_refused(version: str, weights: dict[str, Any], text: str) -> None:
    with pytest.raises(AwsError) as caught:
        plan_routing(version, {"AdditionalVersionWeights": weights})
    assert (caught.value.code, caught.value.message) == ("InvalidParameterValueException", text)

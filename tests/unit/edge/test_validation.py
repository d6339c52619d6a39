"""The framework's layer of validation, in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest

from alonzo.edge.models import service_model
from alonzo.edge.validation import ECHO_CHARS_MAX, FAILURES_MAX, Constraints
from alonzo.model.errors import AwsError
from alonzo.model.service_models import ServiceModel

SHAPES: dict[str, Any] = {
    "Input": {
        "type": "structure",
        "required": ["Name"],
        "members": {
            "Name": {"shape": "Name"},
            "Mode": {"shape": "Mode"},
            "Timeout": {"shape": "Timeout"},
            "Weight": {"shape": "Weight"},
            "Modes": {"shape": "Modes"},
            "Tags": {"shape": "Tags"},
            "Parts": {"shape": "Parts"},
            "PartsByName": {"shape": "PartsByName"},
            "Secret": {"shape": "Secret"},
            "Secrets": {"shape": "Secrets"},
            "Data": {"shape": "Data"},
            "KMSKeyArn": {"shape": "Name"},
            "Child": {"shape": "Input"},
            "Anything": {"shape": "Anything"},
        },
    },
    "Name": {"type": "string", "min": 2, "max": 5, "pattern": "[a-z]+"},
    "Mode": {"type": "string", "enum": ["On", "Off"]},
    "Timeout": {"type": "integer", "min": 1, "max": 900},
    "Weight": {"type": "double", "min": 0.0, "max": 1.0},
    "Modes": {"type": "list", "member": {"shape": "Mode"}, "max": 2},
    "Tags": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Weight"}, "max": 3},
    "Part": {"type": "structure", "required": ["Id"], "members": {"Id": {"shape": "Name"}}},
    "Parts": {"type": "list", "member": {"shape": "Part"}},
    "PartsByName": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Part"}},
    "Text": {"type": "string"},
    "Secret": {"type": "string", "sensitive": True, "max": 3},
    "Secrets": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Secret"}},
    "Data": {"type": "blob", "max": 2},
    "Anything": {"type": "structure", "members": {}, "document": True},
}
MODEL = ServiceModel({"metadata": {}, "operations": {}, "shapes": SHAPES}, "example")
SHORT = "Member must have length greater than or equal to 2"
PATTERN = "Member must satisfy regular expression pattern: [a-z]+"
NULL = "Member must not be null"
ENUM = "Member must satisfy enum value set: [On, Off]"
KEY_PHRASES = (
    "Member must have length less than or equal to 5, "
    "Member must have length greater than or equal to 2, "
    "Member must satisfy regular expression pattern: [a-z]+, Member must not be null"
)


def message(**params: Any) -> str:
    """What is said of the parameters; ``Name`` is right unless given."""
    with pytest.raises(AwsError) as caught:
        Constraints().check(MODEL.shape_for("Input"), {"Name": "abc", **params})
    assert (caught.value.code, caught.value.status) == ("ValidationException", 400)
    return caught.value.message


def fails(value: str, path: str, phrase: str) -> str:
    where = f"Value {value} at '{path}'"
    return f"1 validation error detected: {where} failed to satisfy constraint: {phrase}"


@pytest.mark.parametrize(
    ("params", "value", "path", "phrase"),
    [
        ({"Name": None}, "null", "name", NULL),
        ({"Name": "a"}, "'a'", "name", SHORT),
        ({"Name": "abcdef"}, "'abcdef'", "name", "Member must have length less than or equal to 5"),
        ({"Name": "aB"}, "'aB'", "name", PATTERN),
        ({"Name": "ab\n"}, "'ab\n'", "name", PATTERN),
        ({"KMSKeyArn": "a"}, "'a'", "kMSKeyArn", SHORT),
        ({"Mode": "on"}, "'on'", "mode", ENUM),
        ({"Timeout": 0}, "'0'", "timeout", "Member must have value greater than or equal to 1"),
        ({"Timeout": 901}, "'901'", "timeout", "Member must have value less than or equal to 900"),
        ({"Weight": 1.5}, "'1.5'", "weight", "Member must have value less than or equal to 1.0"),
        (
            {"Modes": ["On"] * 3},
            "'[On, On, On]'",
            "modes",
            "Member must have length less than or equal to 2",
        ),
        (
            {"Modes": ["On", "x"]},
            "'[On, x]'",
            "modes",
            f"Member must satisfy constraint: [{ENUM}, Member must not be null]",
        ),
        (
            {"Modes": [None]},
            "'[null]'",
            "modes",
            f"Member must satisfy constraint: [{ENUM}, Member must not be null]",
        ),
        (
            {"Tags": {"2": 1.0}},
            "'{2=1.0}'",
            "tags",
            f"Map keys must satisfy constraint: [{KEY_PHRASES}]",
        ),
        (
            {"Tags": {"ab": 2.0}},
            "'{ab=2.0}'",
            "tags",
            "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
            "Member must have value greater than or equal to 0.0, Member must not be null]",
        ),
        ({"Parts": [{"Id": "ab"}, {}]}, "null", "parts.2.member.id", NULL),
        ({"Parts": [None]}, "null", "parts.1.member", NULL),
        ({"PartsByName": {"x": {}}}, "null", "partsByName.x.member.id", NULL),
        ({"Child": {"Name": "ok", "Child": {}}}, "null", "child.child.name", NULL),
        (
            {"Data": b"abc"},
            "'java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]'",
            "data",
            "Member must have length less than or equal to 2",
        ),
    ],
)  # fmt: skip
def test_one_failure_reads_as_aws_writes_it(
    params: dict[str, Any], value: str, path: str, phrase: str
) -> None:
    assert message(**params) == fails(value, path, phrase)


def test_every_failure_is_reported_at_once() -> None:
    assert message(Name=None, Timeout=0, Name2=1) == (
        "2 validation errors detected: "
        "Value null at 'name' failed to satisfy constraint: Member must not be null; "
        "Value '0' at 'timeout' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1"
    )


@pytest.mark.parametrize(
    ("params", "path", "phrase"),
    [
        ({"Secret": "hunter2"}, "secret", "Member must have length less than or equal to 3"),
        (
            {"Secrets": {"a": "hunter2"}},
            "secrets",
            "Map value must satisfy constraint: "
            "[Member must have length less than or equal to 3, Member must not be null]",
        ),
    ],
)
def test_a_secret_is_never_repeated(params: dict[str, Any], path: str, phrase: str) -> None:
    assert message(**params) == (
        f"1 validation error detected: Value at '{path}' failed to satisfy constraint: {phrase}"
    )


def test_not_a_number_is_in_no_range() -> None:
    assert message(Weight=float("nan")).startswith("2 validation errors detected: Value 'nan'")


def test_a_huge_value_and_countless_failures_make_a_message_of_bounded_length() -> None:
    assert len(message(Name="x" * (1 << 20))) < 2 * ECHO_CHARS_MAX
    assert len(message(Modes=["On"] * (1 << 20))) < 2 * ECHO_CHARS_MAX
    found = message(Parts=[{}] * 5000)
    assert found.startswith("5000 validation errors detected: ")
    assert found.count(NULL) == FAILURES_MAX


def test_what_is_right_passes_and_documents_are_not_looked_into() -> None:
    Constraints().check(
        MODEL.shape_for("Input"),
        {
            "Name": "abcde",
            "Mode": "On",
            "Timeout": 900,
            "Weight": 0.0,
            "Modes": [],
            "Tags": {"ab": 0.5},
            "Parts": [{"Id": "abc"}],
            "Secret": None,
            "Child": {"Name": "ab"},
            "Anything": {"x": [None, {"Name": 1}]},
        },
    )


def test_lambda_names_its_layers_pattern_as_aws_does() -> None:
    """The form that clients see most often. Recorded from AWS."""
    shape = service_model("lambda").operation_model("CreateFunction").input_shape
    assert shape is not None
    params = {"FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": {}}
    with pytest.raises(AwsError) as caught:
        Constraints().check(shape, {**params, "Layers": ["bad"]})
    assert caught.value.message.startswith(
        "1 validation error detected: Value '[bad]' at 'layers' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must have length less than or equal to "
    )
    assert caught.value.message.endswith(", Member must not be null]")


def test_environment_variables_are_not_repeated_by_lambda() -> None:
    shape = service_model("lambda").operation_model("UpdateFunctionConfiguration").input_shape
    assert shape is not None
    with pytest.raises(AwsError) as caught:
        Constraints().check(
            shape, {"FunctionName": "f", "Environment": {"Variables": {"1": "hunter2"}}}
        )
    assert "Value at 'environment.variables' failed" in caught.value.message
    assert "hunter2" not in caught.value.message

"""Function names in every form, and the ARNs made from them."""

from __future__ import annotations

import re

import pytest

from alonzo.model.arns import FunctionKey, FunctionRef, parse_function_ref, runtime_version_arn
from alonzo.model.errors import AwsError

ACCOUNT, REGION = "123456789012", "eu-west-1"
KEY = FunctionKey(ACCOUNT, REGION, "f")


def parse(text: str, qualifier: str | None = None) -> FunctionRef:
    return parse_function_ref(text, qualifier, account=ACCOUNT, region=REGION)


@pytest.mark.parametrize(
    "prefix",
    ["", "function:", f"{ACCOUNT}:function:", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"],
)
@pytest.mark.parametrize(
    "qualifier", [None, "$LATEST", "$LATEST.PUBLISHED", "7", "prod", "$latest"]
)
def test_every_form_names_the_same_function(prefix: str, qualifier: str | None) -> None:
    expected = FunctionRef(KEY, qualifier)
    suffix = "" if qualifier is None else f":{qualifier}"
    assert parse(f"{prefix}f{suffix}") == expected
    assert parse(f"{prefix}f", qualifier) == expected
    assert parse(f"{prefix}f{suffix}", qualifier) == expected
    assert expected.arn == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f{suffix}"


def test_an_arn_without_a_name_is_a_function_called_function() -> None:
    assert parse(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function").key.name == "function"


@pytest.mark.parametrize(
    ("text", "qualifier", "code"),
    [
        ("f:1", "2", "InvalidParameterValueException"),
        ("f:$LATEST", "1", "InvalidParameterValueException"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f", None, "ResourceNotFoundException"),
        (f"arn:aws:lambda:{REGION}:999999999999:function:f", None, "AccessDeniedException"),
        ("999999999999:function:f", None, "AccessDeniedException"),
        ("", None, "ValidationException"),
        ("a/b", None, "ValidationException"),
        ("a b", None, "ValidationException"),
        ("f:", None, "ValidationException"),
        ("f:1:2", None, "ValidationException"),
        ("f\n", None, "ValidationException"),
    ],
)
def test_names_that_lead_nowhere_are_refused(text: str, qualifier: str | None, code: str) -> None:
    with pytest.raises(AwsError) as caught:
        parse(text, qualifier)
    assert caught.value.code == code


def test_the_path_of_a_key_is_read_back() -> None:
    assert KEY.path == f"{ACCOUNT}/{REGION}/f"
    assert FunctionKey.from_path(KEY.path) == KEY


def test_the_arn_of_a_runtime_version_is_stable() -> None:
    arn = runtime_version_arn(REGION, "python3.12")
    assert re.fullmatch(rf"arn:aws:lambda:{REGION}::runtime:[0-9a-f]{{64}}", arn)
    assert arn == runtime_version_arn(REGION, "python3.12")
    assert arn != runtime_version_arn(REGION, "python3.13")

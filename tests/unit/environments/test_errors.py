"""Error documents that the platform writes."""

import json

import pytest

from alonzo.environments import errors
from alonzo.sandbox.base import ExitStatus


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ExitStatus(code=0), ("Runtime.ExitError", "Runtime exited without providing a reason")),
        (ExitStatus(code=3), ("Runtime.ExitError", "Runtime exited with error: exit status 3")),
        (ExitStatus(signal=9), ("Runtime.ExitError", "Runtime exited with error: signal: killed")),
        (
            ExitStatus(signal=11),
            ("Runtime.ExitError", "Runtime exited with error: signal: segmentation fault"),
        ),
        (
            ExitStatus(signal=9, out_of_memory=True),
            ("Runtime.OutOfMemory", "Runtime exited with error: signal: killed"),
        ),
    ],
)
def test_each_exit_has_its_type_and_text(status, expected):
    assert errors.describe_exit(status) == expected


def test_a_timeout_names_the_seconds_with_two_decimals():
    document = errors.timeout_document("r", 1.0)
    assert list(json.loads(document)) == ["errorType", "errorMessage"]
    assert json.loads(document)["errorMessage"] == (
        "RequestId: r Error: Task timed out after 1.00 seconds"
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Runtime.ImportModuleError", "Runtime.ImportModuleError"),
        ("Function.Whatever", "Function.Whatever"),
        ("Function.2bad", "Function.Unknown"),
        ("ValueError", "Runtime.Unknown"),
        (None, "Runtime.Unknown"),
    ],
)
def test_error_types_are_cleaned(given, kept):
    assert errors.clean_error_type(given) == kept


def test_an_error_that_is_too_deep_to_be_written_without_its_cause_is_invalid():
    deep = b'{"errorType":%s%s}' % (b"[" * 1010, b"]" * 1010)
    assert errors.without_cause(deep) == b'"Invalid error body"'

"""The variables of a runtime process."""

from alonzo.environments.journal import stream_name
from alonzo.environments.variables import runtime_variables
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal
from alonzo.model.functions import ServingVersion
from alonzo.model.ports import AccessKey

KEY = FunctionKey("000000000000", "eu-west-1", "f")
CREDENTIALS = AccessKey("ASIA1", "secret", Principal("0" * 12, "arn", "id", "ASIA1"), "token")


def version(**changes):
    fields = {"runtime": "python3.12", "handler": "m.h", "role": "r", "code_sha256": "0",
              "generation": "g", "log_group": "/aws/lambda/f"}  # fmt: skip
    return ServingVersion(KEY, "$LATEST", **{**fields, **changes})


def variables(of, **more):
    return runtime_variables(
        of, of_runtime=more, log_stream="s", credentials=CREDENTIALS, endpoint_port=4566
    )


def test_a_user_variable_never_replaces_a_reserved_one():
    got = variables(version(environment={"AWS_REGION": "x", "_HANDLER": "x", "MINE": "1"}))
    assert (got["AWS_REGION"], got["_HANDLER"], got["MINE"]) == ("eu-west-1", "m.h", "1")


def test_a_user_may_point_the_endpoint_elsewhere():
    assert variables(version())["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    got = variables(version(environment={"AWS_ENDPOINT_URL": "http://other"}))
    assert got["AWS_ENDPOINT_URL"] == "http://other"


def test_managed_runtimes_name_themselves_and_custom_ones_do_not():
    assert variables(version())["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert "AWS_EXECUTION_ENV" not in variables(version(runtime="provided.al2023"))


def test_the_stream_names_the_function_in_a_group_of_its_own():
    assert stream_name(version(), 0, "ab") == "1970/01/01/[$LATEST]ab"
    assert stream_name(version(log_group="/mine"), 0, "ab") == "1970/01/01/f[$LATEST]ab"

"""Lambda's own validation: each text, and each configuration that results."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from alonzo.control.declined import DECLINED, DECLINED_CODE
from alonzo.control.functions import OPERATIONS
from alonzo.control.rules import (
    Configuration,
    Rules,
    check_available,
    check_name,
    check_revision,
    check_role,
    check_runtime,
    check_storage,
    decide_code,
    plan_code_update,
    plan_creation,
    plan_tags,
    plan_update,
)
from alonzo.control.settings import ControlSettings
from alonzo.control.unsupported import INVOKE_OPERATIONS, UNSUPPORTED
from alonzo.model.errors import AwsError
from alonzo.testing.clients import botocore_session
from alonzo.testing.control import ROLE, FakeRuntimes

TODAY = date(2026, 11, 20)
REQUIRED: dict[str, Any] = {"Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler"}


def rules(today: date = TODAY, **settings: Any) -> Rules:
    return Rules(
        ControlSettings(architecture="x86_64", link_key=b"k", **settings), FakeRuntimes(), today
    )


def create(**params: Any) -> Configuration:
    return plan_creation(REQUIRED | params, "f", rules())


def refusal(work: Any, *args: Any, **kwargs: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        work(*args, **kwargs)
    return caught.value.code, caught.value.message


def invalid(work: Any, *args: Any, **kwargs: Any) -> str:
    code, message = refusal(work, *args, **kwargs)
    assert code == "InvalidParameterValueException"
    return message


@pytest.mark.parametrize("absent", ["Runtime", "Handler"])
def test_runtime_and_handler_are_mandatory(absent: str) -> None:
    assert invalid(create, **{absent: None}) == (
        "Runtime and Handler are mandatory parameters for functions created with deployment "
        "packages."
    )


def test_an_unknown_runtime_is_answered_with_those_there_are() -> None:
    message = invalid(create, Runtime="python9")
    assert message.startswith(
        "Value python9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value "
        "set: ["
    )
    assert "python3.12, " in message
    assert message.endswith("] or be a valid ARN")


@pytest.mark.parametrize(
    ("runtime", "creating", "today", "accepted"),
    [
        ("python3.6", True, TODAY, False),
        ("python3.6", False, TODAY, False),
        ("python3.7", True, TODAY, False),
        ("python3.7", False, TODAY, True),
        ("python3.9", True, date(2027, 1, 31), True),
        ("python3.9", True, date(2027, 2, 1), False),
        ("python3.9", False, date(2027, 3, 2), True),
        ("python3.9", False, date(2027, 3, 3), False),
        ("python3.15", True, date(2099, 1, 1), True),
    ],
)
def test_a_runtime_is_blocked_from_its_days_on(
    runtime: str, creating: bool, today: date, accepted: bool
) -> None:
    if accepted:
        check_runtime(runtime, rules(today), creating=creating)
    else:
        assert invalid(check_runtime, runtime, rules(today), creating=creating) == (
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )


def test_a_runtime_that_the_host_lacks_is_refused_with_the_fix() -> None:
    assert invalid(check_available, "python3.9", "Install Python 3.9.") == (
        "The runtime python3.9 is not available on this host. Install Python 3.9."
    )
    check_available("python3.9", None)


def test_a_blocked_runtime_blocks_every_update() -> None:
    current = create() | {"Runtime": "python3.6"}
    assert "no longer supported" in invalid(plan_update, current, {"Timeout": 5}, rules())
    assert "no longer supported" in invalid(plan_code_update, current, {}, rules())
    assert plan_update(current, {"Runtime": "python3.12"}, rules())["Runtime"] == "python3.12"


@pytest.mark.parametrize(
    ("members", "path", "most"),
    [
        ({"Timeout": 901}, "timeout", 900),
        ({"MemorySize": 10241}, "memorySize", 10240),
        ({"EphemeralStorage": {"Size": 10241}}, "ephemeralStorage.size", 10240),
    ],
)
def test_ceilings_below_those_of_the_service_model(
    members: dict[str, Any], path: str, most: int
) -> None:
    expected = (
        f"1 validation error detected: Value '{most + 1}' at '{path}' failed to satisfy "
        f"constraint: Member must have value less than or equal to {most}"
    )
    assert invalid(create, **members) == expected
    assert invalid(plan_update, create(), members, rules()) == expected


def test_settings_raise_the_ceilings() -> None:
    raised = rules(timeout_s_max=5000, memory_mib_max=20_000, tmp_mib_max=20_000)
    params = {"Timeout": 5000, "MemorySize": 20_000, "EphemeralStorage": {"Size": 20_000}}
    assert plan_creation(REQUIRED | params, "f", raised)["Timeout"] == 5000


def test_a_name_has_64_characters_at_most() -> None:
    check_name("x" * 64)
    assert invalid(check_name, "x" * 65) == (
        f"1 validation error detected: Value '{'x' * 65}' at 'functionName' failed to satisfy "
        "constraint: Member must have length less than or equal to 64"
    )


def test_code_for_another_processor_is_refused_and_the_default_is_the_hosts() -> None:
    assert invalid(create, Architectures=["arm64"]) == (
        "Architectures: this host is x86_64 and cannot run arm64 functions. Set Architectures to "
        "[x86_64] or leave it out."
    )
    assert create(Architectures=["x86_64"])["Architectures"] == ["x86_64"]
    arm = Rules(ControlSettings(architecture="arm64", link_key=b"k"), FakeRuntimes(), TODAY)
    assert plan_creation(REQUIRED, "f", arm)["Architectures"] == ["arm64"]
    assert "cannot run arm64" in invalid(
        plan_code_update, create(), {"Architectures": ["arm64"]}, rules()
    )


def test_members_left_out_of_an_update_stay() -> None:
    before = create(Description="d", Timeout=9, Environment={"Variables": {"AA": "1"}})
    assert plan_update(before, {}, rules()) == before
    after = plan_update(before, {"Description": "", "Handler": "b.h"}, rules())
    assert after == before | {"Description": "", "Handler": "b.h"}
    assert before["Description"] == "d"


WANTED: dict[str, tuple[Any, Any]] = {
    # member: (a value that asks for something, one that does not)
    "AcceleratorConfig": ({"AcceleratorMemorySize": 1}, None),
    "CapacityProviderConfig": ({"LambdaManagedInstancesCapacityProviderConfig": {}}, None),
    "DurableConfig": ({}, None),
    "ImageConfig": ({"Command": ["x"]}, {"Command": []}),
    "PackageType": ("Image", "Zip"),
    "PublishTo": ("LATEST_PUBLISHED", None),
    "RuntimeConfig": ({"RuntimeArn": "x"}, None),
}


@pytest.mark.parametrize("entry", DECLINED, ids=lambda entry: entry.member)
def test_what_cannot_be_honoured_is_refused_by_name(entry: Any) -> None:
    asking, empty = WANTED[entry.member]
    current = create()
    for work, args in (
        (plan_creation, (REQUIRED | {entry.member: asking}, "f", rules())),
        (plan_update, (current, {entry.member: asking}, rules())),
        (plan_code_update, (current, {entry.member: asking}, rules())),
    ):
        assert invalid(work, *args) == f"{entry.member}: {entry.reason}"
    assert create(**{entry.member: empty}) == current


def test_every_member_of_the_requests_is_used_or_declined() -> None:
    service = botocore_session().get_service_model("lambda")
    used = {
        "FunctionName", "Runtime", "Role", "Handler", "Code", "Description", "Timeout",
        "MemorySize", "Environment", "Tags", "Architectures", "EphemeralStorage", "LoggingConfig",
        "ZipFile", "DryRun", "RevisionId", "Publish", "SnapStart", "TenancyConfig", "Layers",
        "CodeSigningConfigArn", "VpcConfig", "FileSystemConfigs", "KMSKeyArn", "S3Bucket", "S3Key",
        "S3ObjectVersion", "SourceKMSKeyArn", "TracingConfig", "DeadLetterConfig",
    }  # fmt: skip
    known = used | {entry.member for entry in (*DECLINED, *DECLINED_CODE)}
    for operation in ("CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"):
        shape = service.operation_model(operation).input_shape
        assert shape is not None
        assert set(shape.members) <= known
    assert set(service.shape_for("FunctionCode").members) <= known


def test_every_operation_of_the_model_is_here_or_named_with_a_reason() -> None:
    service = botocore_session().get_service_model("lambda")
    lists = [set(OPERATIONS), set(UNSUPPORTED), set(INVOKE_OPERATIONS)]
    assert set.union(*lists) == set(service.operation_names)
    assert sum(map(len, lists)) == len(service.operation_names)
    assert all(reason.endswith(".") for reason in UNSUPPORTED.values())


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ({}, "Please provide a source for function code."),
        (
            {"ZipFile": b"x", "S3Bucket": "b"},
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        ),
        ({"S3Bucket": "b"}, "Please provide a source for function code."),
        (
            {"S3Bucket": "b", "S3Key": "k", "S3ObjectStorageMode": "REFERENCE"},
            "S3ObjectStorageMode: Packages are always copied. Use the mode COPY.",
        ),
        (
            {"ImageUri": "x"},
            "ImageUri: Container images are not supported yet. Deploy a .zip file.",
        ),
    ],
)
def test_code_comes_as_a_zip_or_from_a_bucket(code: dict[str, Any], text: str) -> None:
    assert invalid(decide_code, code) == text
    assert decide_code({"ZipFile": b"x"}) == b"x"
    assert decide_code({"S3Bucket": "b", "S3Key": "k", "S3ObjectStorageMode": "COPY"}) is None


def test_a_zip_function_is_not_updated_with_an_image() -> None:
    assert invalid(plan_code_update, create(), {"ImageUri": "x"}, rules()) == (
        "Please don't provide ImageUri when updating a function with packageType Zip."
    )


def test_a_function_has_50_tags_at_most() -> None:
    fifty = {str(number): "" for number in range(50)}
    assert plan_tags(fifty, {"0": "new"}) == fifty | {"0": "new"}
    assert invalid(plan_tags, fifty, {"50": ""}) == "Number of tags exceeds resource tag limit."


def test_a_revision_must_match_if_it_is_given() -> None:
    check_revision(None, "a")
    check_revision("a", "a")
    assert refusal(check_revision, "b", "a")[0] == "PreconditionFailedException"


def test_code_storage_ends_somewhere() -> None:
    check_storage(60, 40, 100)
    assert refusal(check_storage, 60, 41, 100)[0] == "CodeStorageExceededException"


def test_a_role_of_another_account_is_refused():
    check_role(None, "000000000000")
    check_role("arn:aws:iam::000000000000:role/r", "000000000000")
    for role in ("arn:aws:iam::999999999999:role/r", "nonsense"):
        with pytest.raises(AwsError, match="Cross-account pass role is not allowed") as caught:
            check_role(role, "000000000000")
        assert (caught.value.code, caught.value.status) == ("AccessDeniedException", 403)

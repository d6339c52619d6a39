"""Parameter Store as its users meet it: values, versions, labels, hierarchies, SecureStrings."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow

AWS = str(Path(sys.executable).with_name("aws"))
ARN = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter"


@pytest.fixture
def ssm(boto):
    return boto("ssm")


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def base(function_name):
    return "/" + function_name[-30:].strip("-")


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def put(ssm, name, value="v", kind="String", **more):
    return ssm.put_parameter(Name=name, Value=value, Type=kind, **more)["Version"]


def test_a_parameter_and_its_versions(ssm, base):
    assert put(ssm, f"{base}/a", "one", Description="d") == 1
    assert refusal(ssm.put_parameter, Name=f"{base}/a", Value="two", Type="String") == (
        "ParameterAlreadyExists",
        "The parameter already exists. To overwrite this value, set the overwrite option in the "
        "request to true.",
    )
    assert ssm.put_parameter(Name=f"{base}/a", Value="two", Overwrite=True)["Version"] == 2
    found = ssm.get_parameter(Name=f"{base}/a")["Parameter"]
    assert (found["Value"], found["Version"], found["Type"]) == ("two", 2, "String")
    assert found["ARN"] == f"{ARN}{base}/a"
    assert found["DataType"] == "text"
    first = ssm.get_parameter(Name=f"{base}/a:1")["Parameter"]
    assert (first["Value"], first["Selector"]) == ("one", ":1")
    assert ssm.get_parameter(Name=f"{ARN}{base}/a:1")["Parameter"]["Value"] == "one"
    assert refusal(ssm.get_parameter, Name=f"{base}/a:9")[0] == "ParameterVersionNotFound"
    history = ssm.get_parameter_history(Name=f"{base}/a", MaxResults=1)
    assert [each["Value"] for each in history["Parameters"]] == ["one"]
    more = ssm.get_parameter_history(Name=f"{base}/a", NextToken=history["NextToken"])
    assert [each["Value"] for each in more["Parameters"]] == ["two"]
    assert more["Parameters"][0]["LastModifiedUser"] == f"arn:aws:iam::{ACCOUNT}:root"
    ssm.delete_parameter(Name=f"{base}/a")
    assert refusal(ssm.get_parameter, Name=f"{base}/a") == (
        "ParameterNotFound",
        f"Parameter {base}/a not found.",
    )
    assert refusal(ssm.delete_parameter, Name=f"{base}/a")[0] == "ParameterNotFound"


def test_several_at_once_and_those_that_there_are_not(ssm, base):
    put(ssm, f"{base}/a")
    put(ssm, f"{base}/b", "x,y", "StringList")
    found = ssm.get_parameters(Names=[f"{base}/b", f"{base}/none", f"{base}/a:7", f"{base}/a:1"])
    assert [each["Value"] for each in found["Parameters"]] == ["x,y", "v"]
    assert found["InvalidParameters"] == [f"{base}/none", f"{base}/a:7"]
    gone = ssm.delete_parameters(Names=[f"{base}/a", f"{base}/none"])
    assert gone["DeletedParameters"] == [f"{base}/a"]
    assert gone["InvalidParameters"] == [f"{base}/none"]


def test_hierarchies_are_read_level_by_level_or_as_a_whole(ssm, base):
    for name in ("a", "b/c", "b/d/e", "z"):
        put(ssm, f"{base}/{name}", name, "StringList" if name == "z" else "String")

    def below(path, **more):
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path=path, PaginationConfig={"PageSize": 1}, **more
        )
        return [each["Value"] for page in pages for each in page["Parameters"]]

    assert below(base) == ["a", "z"]
    assert below(f"{base}/") == ["a", "z"]
    assert below(base, Recursive=True) == ["a", "b/c", "b/d/e", "z"]
    assert below(f"{base}/b", Recursive=True) == ["b/c", "b/d/e"]
    only = [{"Key": "Type", "Values": ["StringList"]}]
    assert below(base, ParameterFilters=only) == ["z"]
    assert refusal(ssm.get_parameters_by_path, Path="nothing")[0] == "ValidationException"
    assert refusal(
        ssm.get_parameters_by_path, Path=base, ParameterFilters=[{"Key": "Name", "Values": ["a"]}]
    )[0] == ("InvalidFilterKey")


def test_parameters_are_described_and_filtered(ssm, base):
    put(ssm, f"{base}/one", Description="first", Tags=[{"Key": "team", "Value": "blue"}])
    put(ssm, f"{base}/two", "s3cret", "SecureString")

    def described(*filters):
        pages = ssm.get_paginator("describe_parameters").paginate(
            ParameterFilters=[{"Key": "Path", "Values": [base]}, *filters]
        )
        return [each["Name"].rpartition("/")[2] for page in pages for each in page["Parameters"]]

    assert described() == ["one", "two"]
    assert described({"Key": "Type", "Values": ["SecureString"]}) == ["two"]
    assert described({"Key": "tag:team", "Values": ["blue"]}) == ["one"]
    assert described({"Key": "KeyId", "Values": ["alias/aws/ssm"]}) == ["two"]
    assert described({"Key": "Name", "Option": "Contains", "Values": ["/tw"]}) == ["two"]
    older = [{"Key": "Name", "Values": [f"{base}/on"]}]
    (one,) = ssm.describe_parameters(Filters=older)["Parameters"]
    assert one["Description"] == "first"
    assert one["Tier"] == "Standard"
    assert "Value" not in one


def test_labels_name_versions_and_move(ssm, base):
    name = f"{base}/a"
    for value in ("1", "2", "3"):
        ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    labelled = ssm.label_parameter_version(
        Name=name, ParameterVersion=1, Labels=["live", "1bad", "awsbad", "x.y-z"]
    )
    assert labelled["InvalidLabels"] == ["1bad", "awsbad"]
    assert ssm.get_parameter(Name=f"{name}:live")["Parameter"]["Value"] == "1"
    assert ssm.label_parameter_version(Name=name, Labels=["live"])["ParameterVersion"] == 3
    assert ssm.get_parameter(Name=f"{name}:live")["Parameter"]["Value"] == "3"
    history = ssm.get_parameter_history(Name=name)["Parameters"]
    assert [each["Labels"] for each in history] == [["x.y-z"], [], ["live"]]
    by_label = ssm.get_parameters_by_path(
        Path=base, ParameterFilters=[{"Key": "Label", "Values": ["x.y-z"]}]
    )
    assert [each["Value"] for each in by_label["Parameters"]] == ["1"]
    removed = ssm.unlabel_parameter_version(Name=name, ParameterVersion=3, Labels=["live", "no"])
    assert (removed["RemovedLabels"], removed["InvalidLabels"]) == (["live"], ["no"])
    assert refusal(ssm.get_parameter, Name=f"{name}:live")[0] == "ParameterVersionNotFound"
    eleven = [f"l{number}" for number in range(11)]
    ssm.label_parameter_version(Name=name, ParameterVersion=2, Labels=eleven[:10])
    code, _ = refusal(
        ssm.label_parameter_version, Name=name, ParameterVersion=2, Labels=eleven[10:]
    )
    assert code == "ParameterVersionLabelLimitExceeded"


def test_a_hundred_versions_are_kept_and_labelled_ones_never_go(ssm, base):
    name = f"{base}/a"
    for number in range(101):
        ssm.put_parameter(Name=name, Value=str(number), Type="String", Overwrite=True)
    assert refusal(ssm.get_parameter, Name=f"{name}:1")[0] == "ParameterVersionNotFound"
    assert ssm.get_parameter(Name=f"{name}:2")["Parameter"]["Value"] == "1"
    ssm.label_parameter_version(Name=name, ParameterVersion=2, Labels=["keep"])
    code, message = refusal(ssm.put_parameter, Name=name, Value="x", Overwrite=True)
    assert code == "ParameterMaxVersionLimitExceeded"
    assert "Version 2, the oldest version, can't be deleted" in message


def test_a_secure_string_is_sealed_until_it_is_asked_for(ssm, base, platform):
    name, secret = f"{base}/a", "correct horse battery staple"
    put(ssm, name, secret, "SecureString")
    sealed = ssm.get_parameter(Name=name)["Parameter"]
    assert sealed["Type"] == "SecureString"
    assert secret not in sealed["Value"]
    opened = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert opened["Value"] == secret
    assert (
        ssm.get_parameters_by_path(Path=base, WithDecryption=True)["Parameters"][0]["Value"]
        == secret
    )
    assert ssm.get_parameter_history(Name=name)["Parameters"][0]["KeyId"] == "alias/aws/ssm"
    for file in platform.data_dir.glob("alonzo.db*"):
        assert secret.encode() not in file.read_bytes()
    assert secret not in platform.log


def test_a_key_of_one_s_own_decides_who_reads(ssm, boto, household, base, function_name):
    kms, name = boto("kms"), f"{base}/a"
    key = kms.create_key()["KeyMetadata"]["Arn"]
    put(ssm, name, "x", "SecureString", KeyId=key)
    put(ssm, f"{base}/b", "y", "SecureString")
    user = function_name[-40:].strip("-")
    member = household.client("ssm", household.user(user, allow("ssm:*")))
    # The service's own key is for everybody who may use the service.
    assert member.get_parameter(Name=f"{base}/b", WithDecryption=True)["Parameter"]["Value"] == "y"
    code, message = refusal(member.get_parameter, Name=name, WithDecryption=True)
    assert code == "AccessDeniedException"
    assert f"kms:Decrypt on resource: {key}" in message
    through = {
        "StringEquals": {
            "kms:ViaService": "ssm.us-east-1.amazonaws.com",
            "kms:EncryptionContext:PARAMETER_ARN": f"{ARN}{name}",
        }
    }
    household.let_user(user, allow("ssm:*"), allow("kms:Decrypt", on=key, Condition=through))
    assert member.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "x"
    kms.disable_key(KeyId=key)
    assert refusal(ssm.get_parameter, Name=name, WithDecryption=True) == (
        "InvalidKeyId",
        f"{key} is disabled.",
    )
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert refusal(
        ssm.put_parameter, Name=f"{base}/c", Value="x", Type="SecureString", KeyId="alias/none"
    )[0] == ("InvalidKeyId")


def test_tiers_hold_what_they_hold(ssm, base):
    name = f"{base}/a"
    code, message = refusal(ssm.put_parameter, Name=name, Value="x" * 4097, Type="String")
    assert code == "ValidationException"
    assert message.startswith(
        "Standard tier parameters support a maximum parameter value of 4096 characters."
    )
    large = ssm.put_parameter(
        Name=name, Value="x" * 4097, Type="SecureString", Tier="Intelligent-Tiering"
    )
    assert large["Tier"] == "Advanced"
    found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert found["Value"] == "x" * 4097
    code, message = refusal(
        ssm.put_parameter, Name=name, Value="x", Tier="Standard", Overwrite=True
    )
    assert "can't downgrade" in message
    code, _ = refusal(ssm.put_parameter, Name=name, Value="x" * 8193, Overwrite=True)
    assert code == "ValidationException"


def test_a_pattern_holds_for_every_version(ssm, base):
    name = f"{base}/a"
    code, message = refusal(
        ssm.put_parameter, Name=name, Value="abc", Type="String", AllowedPattern=r"^\d{1,4}$"
    )
    assert code == "ParameterPatternMismatchException"
    assert message == r"Parameter value, cannot be validated against allowedPattern: ^\d{1,4}$"
    put(ssm, name, "1234", AllowedPattern=r"^\d{1,4}$")
    assert refusal(ssm.put_parameter, Name=name, Value="12345", Overwrite=True)[0] == (
        "ParameterPatternMismatchException"
    )
    assert refusal(
        ssm.put_parameter, Name=f"{base}/b", Value="a", Type="String", AllowedPattern="(a"
    )[0] == ("InvalidAllowedPatternException")
    # A pattern that would keep a backtracking matcher busy for ever.
    assert refusal(
        ssm.put_parameter,
        Name=f"{base}/c",
        Value="a" * 4000 + "!",
        Type="String",
        AllowedPattern="(a+)+(a|a)*",
    )[0] == ("ParameterPatternMismatchException")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("aws-x", "ValidationException"),
        ("/ssm/x", "ValidationException"),
        ("/aws/x", "AccessDeniedException"),
        ("a/b", "ValidationException"),
        ("/a b", "ValidationException"),
        ("/a//b", "ValidationException"),
        ("/" + "/".join("abcdefghijklmnop"), "HierarchyLevelLimitExceededException"),
    ],
)
def test_names_follow_the_rules(ssm, name, code):
    assert refusal(ssm.put_parameter, Name=name, Value="v", Type="String")[0] == code


def test_what_does_not_go_together_is_refused(ssm, base):
    name = f"{base}/a"
    put(ssm, name)
    tags = [{"Key": "k", "Value": "v"}]
    assert (
        "tags and overwrite"
        in refusal(ssm.put_parameter, Name=name, Value="v", Overwrite=True, Tags=tags)[1]
    )
    assert refusal(ssm.put_parameter, Name=name, Value="v", Type="SecureString", Overwrite=True)[
        0
    ] == ("HierarchyTypeMismatchException")
    assert refusal(ssm.put_parameter, Name=f"{base}/b", Value="v") == (
        "ValidationException",
        "A parameter type is required when you create a parameter.",
    )
    assert refusal(
        ssm.put_parameter, Name=f"{base}/b", Value="v", Type="String", DataType="aws:ec2:image"
    )[0] == ("ValidationException")


def test_tags_of_a_parameter(ssm, base):
    name = f"{base}/a"
    put(ssm, name, Tags=[{"Key": "a", "Value": "1"}])
    where = {"ResourceType": "Parameter", "ResourceId": name}
    ssm.add_tags_to_resource(**where, Tags=[{"Key": "b", "Value": "2"}])
    ssm.remove_tags_from_resource(**where, TagKeys=["a"])
    assert ssm.list_tags_for_resource(**where)["TagList"] == [{"Key": "b", "Value": "2"}]
    assert refusal(ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="/no")[0] == (
        "InvalidResourceId"
    )


def test_a_role_reads_the_paths_that_it_may(household, base, ssm, function_name):
    put(ssm, f"{base}/mine/a")
    put(ssm, f"{base}/other/a")
    user = function_name[-40:].strip("-")
    key = household.user(user, allow("ssm:GetParameter*", on=f"{ARN}{base}/mine*"))
    member = household.client("ssm", key)
    assert member.get_parameter(Name=f"{base}/mine/a")["Parameter"]["Value"] == "v"
    assert len(member.get_parameters_by_path(Path=f"{base}/mine")["Parameters"]) == 1
    code, message = refusal(member.get_parameter, Name=f"{base}/other/a")
    assert code == "AccessDeniedException"
    assert f"ssm:GetParameter on resource: {ARN}{base}/other/a" in message
    assert refusal(member.get_parameters, Names=[f"{base}/mine/a", f"{base}/other/a"])[0] == (
        "AccessDeniedException"
    )
    assert refusal(member.get_parameters_by_path, Path=base)[0] == "AccessDeniedException"


def test_the_examples_of_the_aws_cli(platform, base):
    key_id, secret = platform.root_key()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(platform.data_dir),
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def aws(*words):
        ran = subprocess.run(
            [AWS, *words, "--output", "json"], env=environment, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout) if ran.stdout.strip() else {}

    made = aws(
        *("ssm", "put-parameter", "--name", f"{base}/password", "--value", "hunter2"),
        *("--type", "SecureString"),
    )
    assert made == {"Version": 1, "Tier": "Standard"}
    read = aws("ssm", "get-parameter", "--name", f"{base}/password", "--with-decryption")
    assert read["Parameter"]["Value"] == "hunter2"
    key = aws("kms", "create-key", "--description", "cli")["KeyMetadata"]["KeyId"]
    file = platform.data_dir.parent / "blob"
    file.write_bytes(b"hello")
    sealed = aws("kms", "encrypt", "--key-id", key, "--plaintext", f"fileb://{file}")
    sealed = sealed["CiphertextBlob"]
    file.write_bytes(base64.b64decode(sealed))
    opened = aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{file}")
    assert opened["Plaintext"] == base64.b64encode(b"hello").decode()

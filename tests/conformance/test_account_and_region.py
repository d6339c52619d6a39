"""Whose and where: accounts, regions, the ARNs that name them, and a platform that asks nobody."""

import contextlib
import json
import subprocess
import sys

import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, deploy, package
from alonzo.testing.roles import BASIC, TRUST

ACCOUNT = "123456789012"
WHO = """
from os import environ
def handler(event, context):
    print("called")
    return [context.invoked_function_arn, environ["AWS_REGION"], environ["AWS_DEFAULT_REGION"]]
"""

#: Asks the platform who it is, with nothing but the standard library and its environment.
CALLER = """
import hashlib, hmac, os, re, time, urllib.request

def handler(event, context):
    region, endpoint = os.environ["AWS_REGION"], os.environ["AWS_ENDPOINT_URL"]
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": endpoint.removeprefix("http://"),
        "x-amz-date": now,
        "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"],
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\\n" for name, value in headers.items())
    request = f"POST\\n/\\n\\n{lines}\\n{names}\\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{now[:8]}/{region}/sts/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    for part in [*scope.split("/"), f"AWS4-HMAC-SHA256\\n{now}\\n{scope}\\n{digest}"]:
        key = hmac.digest(key, part.encode(), "sha256")
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={names}, Signature={key.hex()}"
    )
    request = urllib.request.Request(endpoint, body, headers)
    with urllib.request.urlopen(request, timeout=5) as response:
        answer = response.read().decode()
    return dict(re.findall("<(Account|Arn)>([^<]+)<", answer))
"""


def refused(call, **members):
    """The code, the text and the status with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    response = caught.value.response
    error = response["Error"]
    return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


@contextlib.contextmanager
def stranger(daemon, service, **members):
    """A client with a key that nobody made, or with none at all."""
    options = {"region_name": "us-east-1", **members}
    config = Config(proxies={}, retries={"total_max_attempts": 1}).merge(
        options.pop("config", None) or Config()
    )
    client = botocore.session.Session().create_client(
        service, endpoint_url=daemon.endpoint, config=config, **options
    )
    try:
        yield client
    finally:
        client.close()


def test_the_account_of_the_platform_is_in_every_arn(own_platform):
    daemon = own_platform("--account", ACCOUNT)
    caller = daemon.client("sts").get_caller_identity()
    assert (caller["Account"], caller["UserId"]) == (ACCOUNT, ACCOUNT)
    assert caller["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"

    worker = daemon.client("iam").create_role(
        RoleName="worker", Path="/service/", AssumeRolePolicyDocument=TRUST
    )
    role = worker["Role"]["Arn"]
    assert role == f"arn:aws:iam::{ACCOUNT}:role/service/worker"
    logs = f"arn:aws:iam::aws:policy/{BASIC}"
    daemon.client("iam").attach_role_policy(RoleName="worker", PolicyArn=logs)
    client = daemon.client("lambda", "eu-west-1")
    who = deploy(client, "who", WHO, Role=role)
    assert who.arn == f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:who"
    assert who.invoke().json == [who.arn, "eu-west-1", "eu-west-1"]
    for name in (who.arn, f"{ACCOUNT}:function:who", "function:who", "who:$LATEST"):
        assert client.get_function(FunctionName=name)["Configuration"]["FunctionName"] == "who"
    (group,) = daemon.client("logs", "eu-west-1").describe_log_groups()["logGroups"]
    assert group["arn"] == f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/who:*"

    inside = deploy(client, "inside", CALLER, Role=role, Timeout=10).invoke()
    assert inside.function_error is None, inside.body
    assert inside.json["Account"] == ACCOUNT
    assert inside.json["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/inside"

    foreign = f"arn:aws:lambda:eu-west-1:000000000000:function:{who.name}"
    assert refused(client.invoke, FunctionName=foreign)[0] == "AccessDeniedException"


def test_state_belongs_to_the_account_that_made_it(own_platform):
    daemon = own_platform("--account", ACCOUNT)
    deploy(daemon.client("lambda"), "mine", WHO, Role=daemon.role("r"))
    data_dir = daemon.data_dir
    daemon.stop()
    other = DaemonProcess(data_dir, "--account", "210987654321")
    other.start()
    try:
        client = other.client("lambda")
        assert client.list_functions()["Functions"] == []
        assert refused(client.get_function, FunctionName="mine")[0] == "ResourceNotFoundException"
        assert client.get_account_settings()["AccountUsage"]["FunctionCount"] == 0
    finally:
        other.stop()
    daemon.start()
    answer = daemon.client("lambda").invoke(FunctionName="mine")
    assert json.loads(answer["Payload"].read())[0].split(":")[4] == ACCOUNT


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--account", "12345"], "an account has 12 digits"),
        (["--account", "12345678901x"], "an account has 12 digits"),
        (["--auth", "off", "--host", "0.0.0.0"], "it works only on a loopback address"),
        (["--auth", "off", "--host", "::"], "it works only on a loopback address"),
    ],
)
def test_options_that_must_not_be_are_refused_in_plain_words(tmp_path, options, said):
    assert said in serve_in_vain(tmp_path / "data", *options)
    assert not (tmp_path / "data").exists()


def test_a_host_that_does_not_exist_is_named(tmp_path):
    said = serve_in_vain(tmp_path / "data", "--host", "no-such-host.invalid")
    assert "cannot listen on no-such-host.invalid, port 0: " in said


def serve_in_vain(data_dir, *options):
    """What a platform that must not start says, on one line."""
    done = subprocess.run(
        [sys.executable, "-m", "alonzo", "serve", "--port=0", f"--data-dir={data_dir}", *options],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_an_arn_of_another_region_or_account_leads_nowhere(function, platform):
    who = function(WHO)
    client, arn = who.client, who.arn
    far = arn.replace("us-east-1", "eu-west-1")
    elsewhere = (
        "ResourceNotFoundException",
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        404,
    )
    foreign = arn.replace(":000000000000:", f":{ACCOUNT}:")
    changes = {"Description": "changed"}
    for call, members in (
        (client.invoke, {}),
        (client.get_function, {}),
        (client.get_function_configuration, {}),
        (client.update_function_configuration, changes),
        (client.update_function_code, {"ZipFile": package(WHO)}),
        (client.list_versions_by_function, {}),
        (client.delete_function, {}),
    ):
        assert refused(call, FunctionName=far, **members) == elsewhere
        for name in (foreign, f"{ACCOUNT}:function:{who.name}"):
            code, text, status = refused(call, FunctionName=name, **members)
            assert (code, status) == ("AccessDeniedException", 403)
            assert name in text
    for call, members in (
        (client.list_tags, {}),
        (client.tag_resource, {"Tags": {"k": "v"}}),
        (client.untag_resource, {"TagKeys": ["k"]}),
    ):
        assert refused(call, Resource=far, **members) == elsewhere
        assert refused(call, Resource=foreign, **members)[0] == "AccessDeniedException"
    assert client.get_function_configuration(FunctionName=arn)["Description"] == ""
    assert client.list_tags(Resource=arn)["Tags"] == {}


def test_a_region_s_functions_and_logs_are_its_own(function, function_name, platform):
    who = function(WHO)
    assert who.invoke().json[1:] == ["us-east-1", "us-east-1"]
    there = platform.client("lambda", "cn-north-1")
    code, text, _ = refused(there.invoke, FunctionName=who.name)
    assert (code, text) == (
        "ResourceNotFoundException",
        f"Function not found: arn:aws:lambda:cn-north-1:000000000000:function:{who.name}:$LATEST",
    )
    assert who.name not in str(there.list_functions()["Functions"])
    logs = platform.client("logs", "cn-north-1")
    group = f"/aws/lambda/{who.name}"
    assert refused(logs.filter_log_events, logGroupName=group)[0] == "ResourceNotFoundException"
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    here = platform.client("logs")
    identifier = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    found = here.filter_log_events(logGroupIdentifier=identifier, filterPattern="called")["events"]
    assert len(found) == 1
    elsewhere = identifier.replace("us-east-1", "cn-north-1")
    assert refused(here.filter_log_events, logGroupIdentifier=elsewhere)[:2] == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    foreign = identifier.replace("000000000000", ACCOUNT)
    code = refused(here.filter_log_events, logGroupIdentifier=foreign)[0]
    assert code == "AccessDeniedException"


def test_without_authentication_any_key_or_none_will_do(own_platform):
    daemon = own_platform("--auth", "off", "--region", "eu-central-1")
    assert "WARNING" in daemon.log
    key = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    with stranger(daemon, "lambda", region_name="ap-northeast-1", **key) as client:
        who = deploy(client, "who", WHO)
        # The region is the one that the request is signed for.
        assert who.invoke().json == [
            "arn:aws:lambda:ap-northeast-1:000000000000:function:who",
            "ap-northeast-1",
            "ap-northeast-1",
        ]
    with stranger(daemon, "sts", aws_session_token="any", **key) as client:
        assert client.get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"
    with stranger(daemon, "lambda", config=Config(signature_version=UNSIGNED)) as client:
        # Nothing tells a region, so it is the platform's own.
        created = client.create_function(
            FunctionName="unsigned",
            Runtime=PYTHON_RUNTIME,
            Role=ROLE,
            Handler="handler.handler",
            Code={"ZipFile": package(WHO)},
        )
        assert created["FunctionArn"].split(":")[3] == "eu-central-1"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"aws_access_key_id": "test", "aws_secret_access_key": "test"}, "UnrecognizedClient"),
        (
            {"aws_access_key_id": "test", "aws_secret_access_key": "x", "aws_session_token": "y"},
            "UnrecognizedClient",
        ),
        ({"config": Config(signature_version=UNSIGNED)}, "MissingAuthenticationToken"),
    ],
    ids=["a key that nobody made", "a token that nobody made", "no key"],
)
def test_with_authentication_strangers_are_refused(platform, members, code):
    with stranger(platform, "lambda", **members) as client:
        for call in (
            client.list_functions,
            lambda: client.invoke(FunctionName="f", Payload=b"{}"),
        ):
            assert refused(call)[0::2] == (f"{code}Exception", 403)

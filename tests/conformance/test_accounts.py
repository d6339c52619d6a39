"""Several accounts on one platform, which speaks TLS: fully separate, and their keys' lives."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from alonzo.cli.http import open_connection
from alonzo.cli.main import main
from alonzo.daemon.catalog import SERVICES
from alonzo.testing.certificates import make_certificate
from alonzo.testing.clients import make_client
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import PYTHON_RUNTIME, deploy, package
from alonzo.testing.roles import BASIC, make_role

OWN, OTHER = "000000000000", "111122223333"
#: In the name of everything that the one account has and the other must not see.
MARK = "only-ours"

#: Says whose credentials it has: they must be good at the platform, over plain HTTP inside.
WHO = """
import os, urllib.request
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

def handler(event, context):
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    key = Credentials(*(os.environ[f"AWS_{name}"] for name in (
        "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")))
    request = AWSRequest("POST", endpoint + "/", data="Action=GetCallerIdentity&Version=2011-06-15",
        headers={"Content-Type": "application/x-www-form-urlencoded"})
    SigV4Auth(key, "sts", os.environ["AWS_REGION"]).add_auth(request)
    sent = urllib.request.Request(endpoint, request.data.encode(), dict(request.headers.items()))
    with urllib.request.urlopen(sent, timeout=10) as answer:
        return {"arn": answer.read().decode(), "endpoint": endpoint, "url": event["url"]}
"""
ECHO = "def handler(event, context):\n    return event['headers']\n"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A certificate that everything in this process trusts."""
    files = make_certificate(tmp_path_factory.mktemp("tls"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CA_BUNDLE", str(files[0]))
        yield files


@pytest.fixture(scope="module")
def platform(
    ca: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DaemonProcess]:
    options = ("--tls-cert", str(ca[0]), "--tls-key", str(ca[1]))
    daemon = DaemonProcess(tmp_path_factory.mktemp("accounts") / "data", *options)
    daemon.start()
    yield daemon
    daemon.stop()
    assert "Traceback" not in daemon.log, daemon.log


@pytest.fixture(scope="module")
def alonzo(platform: DaemonProcess) -> Callable[..., Result]:
    """The command, as whoever started the platform types it; in this process, which is quicker."""

    def run(*arguments: str, **environment: str) -> Result:
        bare = {name: None for name in os.environ if name.startswith(("AWS_", "ALONZO_"))}
        where = [] if environment else [f"--data-dir={platform.data_dir}"]
        return CliRunner().invoke(main, [*arguments, *where], env={**bare, **environment})

    return run


def key_in(printed: str) -> tuple[str, str]:
    """The key that ``alonzo keys`` and ``alonzo accounts`` print."""
    found = dict(line.split("=", 1) for line in printed.splitlines())
    return found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]


@pytest.fixture(scope="module")
def other(platform: DaemonProcess, alonzo: Any) -> Iterator[Callable[[str], Any]]:
    """Clients of the root user of another account."""
    key_id, secret = key_in(alonzo("accounts", "create", OTHER).stdout)
    with_key = client_with(platform, key_id, secret)
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = with_key(service)
        return clients[service]

    yield client
    for each in clients.values():
        each.close()


def client_with(platform: DaemonProcess, key_id: str, secret: str) -> Callable[[str], Any]:
    config = Config(retries={"total_max_attempts": 1}, proxies={}, read_timeout=60)

    def client(service: str) -> Any:
        return make_client(
            service,
            "us-east-1",
            endpoint_url=platform.endpoint,
            config=config,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
        )

    return client


def code_of(call: Callable[..., Any], **members: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"]


def furnish(platform: DaemonProcess) -> dict[str, tuple[str, dict[str, Any]]]:
    """One of everything in our account; how each is read: by its ARN wherever it has one."""
    client = platform.client
    made = deploy(client("lambda"), MARK, WHO)
    functions = client("lambda")
    functions.create_alias(FunctionName=MARK, Name=MARK, FunctionVersion="$LATEST")
    functions.create_function_url_config(FunctionName=MARK, AuthType="NONE")
    layer = functions.publish_layer_version(LayerName=MARK, Content={"ZipFile": package("x = 1")})
    client("logs").create_log_group(logGroupName=f"/{MARK}")
    iam = client("iam")
    user = iam.create_user(UserName=MARK)["User"]
    iam.create_group(GroupName=MARK)
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    policy = iam.create_policy(PolicyName=MARK, PolicyDocument=text)["Policy"]
    key = client("kms").create_key(Description=MARK)["KeyMetadata"]
    client("kms").create_alias(AliasName=f"alias/{MARK}", TargetKeyId=key["Arn"])
    client("ssm").put_parameter(Name=f"/{MARK}", Value="x", Type="String")
    parameter = f"arn:aws:ssm:us-east-1:{OWN}:parameter/{MARK}"
    secret = client("secretsmanager").create_secret(Name=MARK, SecretString="x")
    ours = {
        "lambda get_function": ("lambda", {"FunctionName": made.arn}),
        "lambda invoke": ("lambda", {"FunctionName": made.arn}),
        "lambda get_policy": ("lambda", {"FunctionName": made.arn}),
        "lambda get_layer_version_by_arn": ("lambda", {"Arn": layer["LayerVersionArn"]}),
        "logs list_tags_for_resource": (
            "logs",
            {"resourceArn": f"arn:aws:logs:us-east-1:{OWN}:log-group:/{MARK}"},
        ),
        "iam get_user": ("iam", {"UserName": user["UserName"]}),
        "iam get_policy": ("iam", {"PolicyArn": policy["Arn"]}),
        "kms describe_key": ("kms", {"KeyId": key["Arn"]}),
        "kms encrypt": ("kms", {"KeyId": key["Arn"], "Plaintext": b"x"}),
        "ssm get_parameter": ("ssm", {"Name": parameter}),
        "secretsmanager get_secret_value": ("secretsmanager", {"SecretId": secret["ARN"]}),
    }
    if "sqs" in {each.name for each in SERVICES}:
        url = client("sqs").create_queue(QueueName=MARK)["QueueUrl"]
        ours["sqs receive_message"] = ("sqs", {"QueueUrl": url})
        ours["sqs get_queue_attributes"] = ("sqs", {"QueueUrl": url, "AttributeNames": ["All"]})
    if "sns" in {each.name for each in SERVICES}:
        topic = client("sns").create_topic(Name=MARK)["TopicArn"]
        ours["sns get_topic_attributes"] = ("sns", {"TopicArn": topic})
        ours["sns publish"] = ("sns", {"TopicArn": topic, "Message": "x"})
    return ours


REFUSALS = re.compile(r"AccessDenied|NotFound|NoSuchEntity|NonExistentQueue|AuthorizationError")


def test_an_account_sees_and_reaches_nothing_of_another(
    platform: DaemonProcess, other: Callable[[str], Any]
) -> None:
    ours = furnish(platform)
    for name, (service, members) in ours.items():
        operation = name.split()[1]
        code = code_of(getattr(other(service), operation), **members)
        assert REFUSALS.search(code), (name, code)

    asked = 0
    for service in SERVICES:
        if service.name == "sts":
            continue
        client = other(service.name)
        model = client.meta.service_model
        for method, operation in client.meta.method_to_api_mapping.items():
            shape = model.operation_model(operation).input_shape
            reads = operation.startswith(("List", "Describe", "Get", "BatchGet"))
            if not reads or (shape is not None and shape.required_members):
                continue
            try:
                answer = getattr(client, method)()
            except ClientError:
                continue
            asked += 1
            answer.pop("ResponseMetadata")
            text = json.dumps(answer, default=str)
            assert MARK not in text, (operation, text)
            assert OWN not in text, (operation, text)
    assert asked > 25

    # All of it is still there, and whole.
    for name, (service, members) in ours.items():
        if "get_policy" not in name:
            getattr(platform.client(service), name.split()[1])(**members)


def test_the_same_names_in_two_accounts_are_two_things(
    platform: DaemonProcess, other: Callable[[str], Any], ca: tuple[Path, Path]
) -> None:
    name = "namesake"
    for account, client in ((OWN, platform.client), (OTHER, other)):
        credentials = client("iam")._request_signer._credentials
        key = (credentials.access_key, credentials.secret_key)
        role = make_role(platform.endpoint, key, name, BASIC)
        assert role == f"arn:aws:iam::{account}:role/{name}"
        who = deploy(client("lambda"), name, WHO, Role=role, Timeout=20)
        client("ssm").put_parameter(Name=name, Value=account, Type="String")
        outcome = who.invoke({"url": account})
        assert outcome.function_error is None, outcome.body
        assert f"arn:aws:sts::{account}:assumed-role/{name}/{name}" in outcome.json["arn"]
        # Inside there is no TLS: what is asked does not leave the machine, nor the sandbox's net.
        assert outcome.json["endpoint"].startswith("http://127.0.0.1:")
        assert who.arn.split(":")[4] == account
    assert platform.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == OWN
    assert other("ssm").get_parameter(Name=name)["Parameter"]["Value"] == OTHER

    # Concurrency is the account's own.
    before = other("lambda").get_account_settings()["AccountLimit"]
    functions = platform.client("lambda")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=7)
    assert other("lambda").get_account_settings()["AccountLimit"] == before
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert code_of(functions.invoke, FunctionName=name) == "TooManyRequestsException"
    assert (
        json.loads(
            other("lambda").invoke(FunctionName=name, Payload=b'{"url": 1}')["Payload"].read()
        )["url"]
        == 1
    )

    # A role of another account cannot be had, neither for a function nor by oneself.
    foreign = f"arn:aws:iam::{OWN}:role/{name}"
    assert (
        code_of(other("sts").assume_role, RoleArn=foreign, RoleSessionName="xx") == "AccessDenied"
    )
    code = code_of(
        other("lambda").create_function,
        FunctionName="borrowed",
        Runtime=PYTHON_RUNTIME,
        Role=foreign,
        Handler="handler.handler",
        Code={"ZipFile": package(ECHO)},
    )
    assert code in ("AccessDeniedException", "InvalidParameterValueException")


def test_a_caller_over_tls_is_known_to_come_so(platform: DaemonProcess) -> None:
    client = platform.client("lambda")
    deploy(client, "seen", ECHO)
    url = client.create_function_url_config(FunctionName="seen", AuthType="NONE")["FunctionUrl"]
    assert url.startswith("https://")
    for action, more in (
        ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        client.add_permission(
            FunctionName="seen", StatementId=action[7:], Action=action, Principal="*", **more
        )
    path = urlsplit(url).path
    with closing(open_connection(platform.endpoint, timeout_s=20)) as connection:
        connection.request("GET", path)
        headers = json.loads(connection.getresponse().read())
    assert headers["x-forwarded-proto"] == "https"

    iam = platform.client("iam")
    iam.create_user(UserName="careful")
    secure = {"Bool": {"aws:SecureTransport": "true"}}
    allowed = {"Effect": "Allow", "Action": "lambda:List*", "Resource": "*", "Condition": secure}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="careful", PolicyName="p", PolicyDocument=text)
    key = iam.create_access_key(UserName="careful")["AccessKey"]
    make = client_with(platform, key["AccessKeyId"], key["SecretAccessKey"])
    with closing(make("lambda")) as careful:
        careful.list_functions()


def test_commands_find_the_platform_and_its_certificate(platform: Any, alonzo: Any) -> None:
    printed = alonzo("env").stdout
    exports = dict(
        shlex.split(line)[1].split("=", 1) for line in printed.splitlines() if "export" in line
    )
    assert exports["AWS_ENDPOINT_URL"] == platform.endpoint
    assert exports["AWS_ENDPOINT_URL"].startswith("https://127.0.0.1:")
    assert exports["AWS_CA_BUNDLE"] == os.environ["AWS_CA_BUNDLE"]
    done = alonzo("invoke", "no-such-function")
    assert "Function not found" in done.stderr
    assert alonzo("usage", "--json").exit_code == 0
    assert f"platform at {platform.endpoint}" in alonzo("doctor").stdout


def test_the_life_of_root_keys(platform: DaemonProcess, alonzo: Any) -> None:
    old = platform.root_key()
    done = alonzo("keys", "rotate")
    new = key_in(done.stdout)
    assert platform.root_key() == new
    assert new[1] in alonzo("env").stdout
    assert "two keys already" in alonzo("keys", "rotate").stderr
    assert "signs with" in alonzo("keys", "revoke", new[0]).stderr
    listed = alonzo("keys", "list").stdout
    assert re.search(f"{old[0]} +\\(root\\)", listed)
    assert re.search(f"{new[0]} +\\(root\\)", listed)
    for secret in (old[1], new[1]):
        assert secret not in listed + platform.log
    with closing(client_with(platform, *old)("sts")) as before:
        assert before.get_caller_identity()["Arn"] == f"arn:aws:iam::{OWN}:root"
        assert alonzo("keys", "revoke", old[0]).exit_code == 0
        assert code_of(before.get_caller_identity) == "InvalidClientTokenId"
    platform.close_clients()
    assert platform.client("sts").get_caller_identity()["Account"] == OWN


def test_a_root_user_s_keys_are_iam_s_as_well(
    platform: DaemonProcess, other: Callable[[str], Any]
) -> None:
    iam = other("iam")
    key = iam.create_access_key()["AccessKey"]
    assert "UserName" not in key
    assert code_of(iam.create_access_key) == "LimitExceeded"
    ids = {each["AccessKeyId"] for each in iam.list_access_keys()["AccessKeyMetadata"]}
    assert len(ids) == 2
    assert key["AccessKeyId"] in ids
    make = client_with(platform, key["AccessKeyId"], key["SecretAccessKey"])
    with closing(make("sts")) as second:
        assert second.get_caller_identity()["Arn"] == f"arn:aws:iam::{OTHER}:root"
        iam.update_access_key(AccessKeyId=key["AccessKeyId"], Status="Inactive")
        assert code_of(second.get_caller_identity) == "InvalidClientTokenId"
    own = platform.client("iam")
    for call in (own.delete_access_key, own.get_access_key_last_used):
        assert code_of(call, AccessKeyId=key["AccessKeyId"]) == "NoSuchEntity"
    iam.delete_access_key(AccessKeyId=key["AccessKeyId"])
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 1


def test_the_life_of_a_user_s_keys(platform: DaemonProcess, alonzo: Any) -> None:
    platform.client("iam").create_user(UserName="worker")
    first = key_in(alonzo("keys", "create", "--user", "worker").stdout)
    second = key_in(alonzo("keys", "rotate", "--user", "worker", "--revoke").stdout)
    with closing(client_with(platform, *first)("sts")) as one:
        assert code_of(one.get_caller_identity) == "InvalidClientTokenId"
    with closing(client_with(platform, *second)("sts")) as two:
        assert two.get_caller_identity()["Arn"] == f"arn:aws:iam::{OWN}:user/worker"
        assert f"{second[0]}  worker" in alonzo("keys", "list").stdout
        assert alonzo("keys", "revoke", second[0]).exit_code == 0
        assert code_of(two.get_caller_identity) == "InvalidClientTokenId"
    assert "cannot be found" in alonzo("keys", "revoke", second[0]).stderr


def test_only_the_platform_s_own_root_user_makes_accounts(
    platform: DaemonProcess, alonzo: Any, other: Callable[[str], Any]
) -> None:
    listed = alonzo("accounts", "list").stdout
    assert OWN in listed
    assert OTHER in listed
    for wrong in ("1234", "12345678901x", "١٢٣٤٥٦٧٨٩٠١٢"):
        assert "12 digits" in alonzo("accounts", "create", wrong).stderr
    # Another account's root user is nobody here.
    credentials = other("sts")._request_signer._credentials
    environment = {
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_CA_BUNDLE": os.environ["AWS_CA_BUNDLE"],
    }
    for words in (("accounts", "list"), ("accounts", "create", "2" * 12), ("keys", "rotate")):
        done = alonzo(*words, **environment)
        assert "Only the root user of the platform's own account" in done.stderr, words
    assert "2" * 12 not in alonzo("accounts", "list").stdout

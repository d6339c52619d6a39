"""Who may call a function URL, from where, and what its configuration may say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import botocore.config
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from alonzo.testing.clients import make_client
from alonzo.testing.daemon import REGION, DaemonProcess
from alonzo.testing.function_urls import ECHO, Url, curl
from alonzo.testing.functions import ADMIN_ROLE, deploy


@pytest.fixture
def url(platform: DaemonProcess, function: Any) -> Callable[..., Url]:
    """``url(source, **url_configuration)``: a public URL of a new function."""

    def make(source: Any = ECHO, **config: Any) -> Url:
        return Url(platform, function(source), **config).allow()

    return make


def test_without_permission_nobody_gets_in(platform: Any, function: Any) -> None:
    made = Url(platform, function(ECHO))
    forbidden = {
        "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
        "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
    }
    reply = curl(made.url)
    assert (reply.status, reply.json) == (403, forbidden)
    assert reply.headers["x-amzn-errortype"] == "AccessDeniedException"
    made.allow(via_url=False)
    assert curl(made.url).status == 403
    made.client.add_permission(
        FunctionName=made.name,
        StatementId="function",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
    )
    assert curl(made.url).status == 200
    made.client.remove_permission(FunctionName=made.name, StatementId="url")
    assert curl(made.url).status == 403


@pytest.mark.parametrize("path", ["", "a" * 32, "../health", "%00", "A" * 32, "x" * 5000])
def test_a_url_that_does_not_exist_is_nobody_s(platform: Any, path: str) -> None:
    reply = curl(f"{platform.endpoint}/_alonzo/lambda-url/{path}")
    assert (reply.status, reply.json) == (403, {"Message": None})
    assert reply.headers["x-amzn-errortype"] == "AccessDeniedException"


def test_a_url_answers_in_its_region_only(url: Any) -> None:
    made = url()
    assert curl(f"http://{made.host}/").status == 200
    assert curl(f"http://{made.host.replace(REGION, 'eu-west-1')}/").status == 403


def test_a_url_that_is_deleted_or_changed_is_so_at_once(url: Any) -> None:
    made = url()
    assert curl(made.url).status == 200
    made.client.update_function_url_config(FunctionName=made.name, AuthType="AWS_IAM")
    assert curl(made.url).status == 403
    made.client.update_function_url_config(FunctionName=made.name, AuthType="NONE")
    assert curl(made.url).status == 200
    made.client.delete_function_url_config(FunctionName=made.name)
    assert curl(made.url).json == {"Message": None}


def test_the_url_of_an_alias_calls_what_the_alias_names(platform: Any, function: Any) -> None:
    deployed = function("def handler(e, c):\n    return c.invoked_function_arn\n")
    client = deployed.client
    client.publish_version(FunctionName=deployed.name)
    client.create_alias(FunctionName=deployed.name, Name="live", FunctionVersion="1")
    made = Url(platform, deployed, Qualifier="live").allow()
    assert curl(made.url).body.decode() == f"{deployed.arn}:live"
    client.delete_alias(FunctionName=deployed.name, Name="live")
    assert curl(made.url).json == {"Message": None}


@pytest.mark.parametrize("qualifier", ["$LATEST", "1", "a b", "x" * 129])
def test_versions_have_no_url(function: Any, qualifier: str) -> None:
    deployed = function(ECHO)
    with pytest.raises(ClientError) as caught:
        deployed.client.create_function_url_config(
            FunctionName=deployed.name, Qualifier=qualifier, AuthType="NONE"
        )
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert "'qualifier' failed to satisfy constraint" in error["Message"]


def signed(
    platform: DaemonProcess,
    target: str,
    *,
    auth: Any = SigV4Auth,
    service: str = "lambda",
    region: str = REGION,
    body: bytes = b"",
    credentials: Credentials | None = None,
) -> list[str]:
    """The options of curl for a signed request, and the URL."""
    request = AWSRequest("POST", target, data=body, headers={"host": urlsplit(target).netloc})
    who = credentials or Credentials(*platform.root_key())
    auth(who, service, region).add_auth(request)
    headers = [f"{name}: {value}" for name, value in request.headers.items()]
    options = [option for header in headers for option in ("-H", header)]
    return [*options, "-X", "POST", "--data-binary", body.decode(), request.url]


def test_a_signed_caller_gets_in_and_is_named(platform: Any, function: Any) -> None:
    made = Url(platform, function(ECHO), AuthType="AWS_IAM")
    key_id, _ = platform.root_key()
    for target in (made.url + "a%2Fb?x=1", f"http://{made.host}/a%2Fb?x=1"):
        for auth in (SigV4Auth, SigV4QueryAuth):
            # Presigning moves a body into the query.
            body = b"hello" if auth is SigV4Auth else b""
            *options, address = signed(platform, target, auth=auth, body=body)
            reply = curl(address, *options)
            assert reply.status == 200, reply.body
            context = reply.json["requestContext"]
            assert context["accountId"] == "000000000000"
            assert context["authorizer"]["iam"]["accessKey"] == key_id
            assert context["authorizer"]["iam"]["userArn"] == "arn:aws:iam::000000000000:root"


def test_a_signature_that_is_wrong_lets_nobody_in(platform: Any, function: Any) -> None:
    made = Url(platform, function(ECHO), AuthType="AWS_IAM")
    assert curl(made.url).json["Message"].startswith("Forbidden. ")
    for wrong in (
        {"credentials": Credentials(platform.root_key()[0], "wrong")},
        {"service": "execute-api"},
        {"region": "eu-west-1"},
    ):
        *options, address = signed(platform, made.url, **wrong)
        reply = curl(address, *options)
        assert reply.status == 403
        assert "signature we calculated does not match" in reply.json["message"]
    *options, address = signed(platform, made.url, body=b"hello")
    options[-1] = "other"
    assert curl(address, *options).status == 403


def test_where_nobody_is_authenticated_nobody_need_sign(own_platform: Any) -> None:
    platform = own_platform("--auth", "off")
    function = deploy(platform.client("lambda"), "f", ECHO)
    made = Url(platform, function, AuthType="AWS_IAM")
    context = curl(made.url).json["requestContext"]
    assert context["authorizer"]["iam"]["userArn"] == "arn:aws:iam::000000000000:root"
    assert curl(made.url, "-H", "authorization: Bearer x").status == 200
    made.client.update_function_url_config(FunctionName="f", AuthType="NONE")
    assert curl(made.url).status == 403


@pytest.fixture
def user(boto: Any, function_name: str) -> Iterator[tuple[str, Credentials]]:
    """A user without policies, and a key of theirs."""
    iam, name = boto("iam"), function_name[-60:]
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield name, Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
        iam.delete_user_policy(UserName=name, PolicyName=policy)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


def test_a_user_needs_both_actions_in_a_policy_of_their_own(
    platform: Any, boto: Any, function: Any, user: tuple[str, Credentials]
) -> None:
    made = Url(platform, function(ECHO), AuthType="AWS_IAM")
    iam, (name, credentials) = boto("iam"), user

    def call() -> Any:
        *options, address = signed(platform, made.url, credentials=credentials)
        return curl(address, *options)

    def may(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": statement}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))

    assert call().json["Message"].startswith("Forbidden. ")
    may("lambda:InvokeFunctionUrl")
    assert call().status == 403
    may("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
    reply = call()
    assert reply.status == 200
    assert reply.json["requestContext"]["authorizer"]["iam"]["userArn"].endswith(f":user/{name}")
    may("s3:GetObject")
    assert call().status == 403


def test_a_function_may_call_a_url_of_its_account(platform: Any, function: Any) -> None:
    made = Url(platform, function(ECHO), AuthType="AWS_IAM")
    caller = function(
        "import os, urllib.request\n"
        "from botocore.auth import SigV4Auth\n"
        "from botocore.awsrequest import AWSRequest\n"
        "from botocore.session import Session\n"
        "def handler(event, context):\n"
        "    url = os.environ['AWS_ENDPOINT_URL'] + '/_alonzo/lambda-url/' + event + '/'\n"
        "    request = AWSRequest('GET', url)\n"
        "    credentials = Session().get_credentials()\n"
        "    SigV4Auth(credentials, 'lambda', os.environ['AWS_REGION']).add_auth(request)\n"
        "    signed = urllib.request.Request(url, headers=dict(request.headers.items()))\n"
        "    with urllib.request.urlopen(signed) as reply:\n"
        "        return reply.read().decode()\n",
        Timeout=20,
        Role=ADMIN_ROLE,
    )
    event = json.loads(caller.invoke(made.id).json)
    caller_arn = event["requestContext"]["authorizer"]["iam"]["userArn"]
    assert caller_arn.startswith("arn:aws:sts::000000000000:assumed-role/admin/")


def test_a_user_may_be_let_in_by_the_function_s_policy(
    platform: Any, boto: Any, function: Any, user: tuple[str, Credentials]
) -> None:
    made = Url(platform, function(ECHO), AuthType="AWS_IAM")
    arn = boto("iam").get_user(UserName=user[0])["User"]["Arn"]
    *options, address = signed(platform, made.url, credentials=user[1])
    for action in ("InvokeFunctionUrl", "InvokeFunction"):
        assert curl(address, *options).status == 403
        made.client.add_permission(
            FunctionName=made.name,
            StatementId=action,
            Action=f"lambda:{action}",
            Principal=arn,
        )
    assert curl(address, *options).status == 200


def test_a_user_may_be_let_in_by_the_tags_of_the_function(
    platform: Any, boto: Any, function: Any, user: tuple[str, Credentials]
) -> None:
    deployed = function(ECHO)
    made = Url(platform, deployed, AuthType="AWS_IAM")
    statement = {
        "Effect": "Allow",
        "Action": "lambda:*",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    boto("iam").put_user_policy(UserName=user[0], PolicyName="tags", PolicyDocument=document)
    *options, address = signed(platform, made.url, credentials=user[1])
    assert curl(address, *options).status == 403
    made.client.tag_resource(Resource=deployed.arn, Tags={"team": "blue"})
    assert curl(address, *options).status == 200


# --- CORS


CORS = {
    "AllowOrigins": ["https://app.example"],
    "AllowMethods": ["PUT"],
    "AllowHeaders": ["x-one"],
    "ExposeHeaders": ["x-seen"],
    "AllowCredentials": True,
    "MaxAge": 60,
}


def test_a_preflight_costs_no_invocation_and_needs_no_signature(
    platform: Any, function: Any
) -> None:
    made = Url(platform, function("raise SystemExit"), AuthType="AWS_IAM", Cors=CORS)
    reply = curl(made.url, "-X", "OPTIONS", "-H", "Origin: https://app.example",
                 "-H", "Access-Control-Request-Method: PUT")  # fmt: skip
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["access-control-allow-origin"] == "https://app.example"
    assert reply.headers["access-control-allow-methods"] == "PUT"
    assert reply.headers["access-control-max-age"] == "60"
    refused = curl(made.url, "-H", "Origin: https://app.example")
    assert refused.status == 403
    assert refused.headers["access-control-allow-origin"] == "https://app.example"


def test_configured_headers_win_over_the_function_s(url: Any) -> None:
    made = url(
        "def handler(e, c):\n"
        "    return {'statusCode': 200, 'headers': {'Access-Control-Allow-Origin': '*'}}\n",
        Cors=CORS,
    )
    reply = curl(made.url, "-H", "Origin: https://app.example")
    assert reply.all("access-control-allow-origin") == ["https://app.example"]
    assert reply.headers["access-control-expose-headers"] == "x-seen"
    assert reply.headers["vary"] == "Origin"
    other = curl(made.url, "-H", "Origin: https://evil.example")
    assert "access-control-allow-origin" not in other.headers


BAD_CORS = [
    ({"AllowOrigins": ["x" * 254]}, "cors.allowOrigins"),
    ({"AllowOrigins": [""]}, "cors.allowOrigins"),
    ({"AllowOrigins": ["*"] * 101}, "cors.allowOrigins"),
    ({"AllowMethods": ["OPTIONS"]}, "cors.allowMethods"),
    ({"AllowMethods": ["*"] * 7}, "cors.allowMethods"),
    ({"AllowHeaders": ["x" * 1025]}, "cors.allowHeaders"),
    ({"AllowHeaders": ["x"] * 101}, "cors.allowHeaders"),
    ({"ExposeHeaders": ["x" * 1025]}, "cors.exposeHeaders"),
    ({"ExposeHeaders": ["x"] * 101}, "cors.exposeHeaders"),
    ({"MaxAge": -1}, "cors.maxAge"),
    ({"MaxAge": 86401}, "cors.maxAge"),
]


@pytest.fixture(scope="module")
def unchecked(platform: DaemonProcess) -> Iterator[Any]:
    """A client that sends what it is given."""
    key_id, secret = platform.root_key()
    client = make_client(
        "lambda",
        REGION,
        endpoint_url=platform.endpoint,
        config=botocore.config.Config(parameter_validation=False, proxies={}),
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )
    with closing(client):
        yield client


@pytest.mark.parametrize(("cors", "member"), BAD_CORS)
def test_cors_past_a_bound_is_refused(unchecked: Any, cors: dict[str, Any], member: str) -> None:
    with pytest.raises(ClientError) as caught:
        unchecked.create_function_url_config(FunctionName="none", AuthType="NONE", Cors=cors)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert f"at '{member}" in error["Message"]


@pytest.mark.parametrize(
    ("params", "member"),
    [
        ({"AuthType": "none"}, "authType"),
        ({}, "authType"),
        ({"AuthType": "NONE", "InvokeMode": "STREAM"}, "invokeMode"),
    ],
)
def test_words_that_aws_does_not_know_are_refused(
    unchecked: Any, params: dict[str, Any], member: str
) -> None:
    with pytest.raises(ClientError) as caught:
        unchecked.create_function_url_config(FunctionName="none", **params)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert f"at '{member}'" in error["Message"]


def test_cors_at_its_bounds_reads_back(function: Any, platform: Any) -> None:
    widest = {
        "AllowCredentials": False,
        "AllowHeaders": ["x" * 1024] * 3 + [""] + ["y"] * 96,
        "AllowMethods": ["PATCH", "DELETE", "*", "", "GET", "PUT"],
        "AllowOrigins": ["o" * 253] * 100,
        "ExposeHeaders": ["x" * 1024] + ["z"] * 99,
        "MaxAge": 86400,
    }
    made = Url(platform, function(ECHO), Cors=widest)
    shown = made.client.get_function_url_config(FunctionName=made.name)
    assert shown["Cors"] == widest
    listed = made.client.get_paginator("list_function_url_configs").paginate(**made.where)
    assert [page["FunctionUrlConfigs"][0]["Cors"] for page in listed] == [widest]

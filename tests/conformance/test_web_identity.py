"""Roles for those whom an OpenID Connect provider vouches for, as SDKs and deployment tools ask."""

import json
import time

import botocore.session
import pytest
import urllib3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from alonzo.cli.audit import Reader
from alonzo.testing.callers import ACCOUNT, Household, allow, document
from alonzo.testing.clients import make_client
from alonzo.testing.issuers import Issuer
from alonzo.testing.waiting import eventually

PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example/team"


@pytest.fixture(scope="module")
def issuer(platform):
    made = Issuer()
    file = platform.data_dir / "issuers.json"
    file.write_text(json.dumps({made.url: made.key_set}))
    file.chmod(0o600)
    yield made
    file.unlink()


@pytest.fixture
def household(platform, issuer):
    made = Household(platform)
    made.iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["clients"])
    yield made
    made.close()
    made.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)


@pytest.fixture
def sts(platform):
    """Without any credentials."""
    made = make_client(
        "sts",
        "us-east-1",
        endpoint_url=platform.endpoint,
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, proxies={}),
    )
    yield made
    made.close()


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-")


def trust(**condition):
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": PROVIDER},
            "Action": "sts:AssumeRoleWithWebIdentity",
            **({"Condition": {"StringLike": condition}} if condition else {}),
        }
    )


def claims(issuer, **changes):
    now_s = int(time.time())
    return {
        "iss": issuer.url,
        "aud": "clients",
        "sub": "repo:org/app:ref:refs/heads/main",
        "iat": now_s,
        "exp": now_s + 300,
        **changes,
    }


def assume(sts, role, token, **more):
    return sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="deploy", WebIdentityToken=token, **more
    )


def refused(call, *args, **params):
    with pytest.raises(ClientError) as caught:
        call(*args, **params)
    error = caught.value.response["Error"]
    return error["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_token_becomes_a_session_with_the_roles_rights(household, sts, issuer, name, algorithm):
    said = {"issuer.example/team:sub": "repo:org/app:*", "issuer.example/team:aud": "clients"}
    role = household.role(name, trust(**said), allow("lambda:ListFunctions"))
    token = issuer.token(claims(issuer), algorithm=algorithm)
    answer = assume(sts, role, token)
    assert answer["SubjectFromWebIdentityToken"] == "repo:org/app:ref:refs/heads/main"
    assert (answer["Audience"], answer["Provider"]) == ("clients", issuer.url)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/deploy"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    client = household.client("lambda", answer["Credentials"])
    assert "Functions" in client.list_functions()
    assert refused(client.create_alias, FunctionName="f", Name="a", FunctionVersion="1") == (
        "AccessDeniedException",
        403,
    )
    household.iam.delete_role_policy(RoleName=name, PolicyName="own")
    assert refused(client.list_functions) == ("AccessDeniedException", 403)
    household.iam.delete_role(RoleName=name)
    assert refused(client.list_functions) == ("UnrecognizedClientException", 403)


def test_the_audit_log_tells_whom_a_token_vouched_for(household, sts, issuer, name, platform):
    role = household.role(name, trust(**{"issuer.example/team:sub": "repo:org/app:*"}))
    assume(sts, role, issuer.token(claims(issuer)))
    assert refused(assume, sts, role, issuer.token(claims(issuer, sub="other")))[1] == 403
    assert refused(assume, sts, role, Issuer().token(claims(issuer, sub="forged")))[1] == 400

    def told():
        found = Reader(platform.data_dir / "audit").new()
        asked = [each for each in found if each["eventName"] == "AssumeRoleWithWebIdentity"]
        mine = [each for each in asked if each["requestParameters"]["roleArn"] == role]
        return mine if len(mine) == 3 else None

    records = eventually(told, 20)
    users = [each["userIdentity"] for each in records]
    assert [each["type"] for each in users] == ["WebIdentityUser", "WebIdentityUser", "Unknown"]
    assert [each.get("userName") for each in users] == [claims(issuer)["sub"], "other", None]
    assert {each.get("identityProvider") for each in users[:2]} == {PROVIDER}
    assert users[0]["principalId"] == f"{PROVIDER}:clients:{claims(issuer)['sub']}"
    assert [each.get("errorCode") for each in records] == [
        None,
        "AccessDenied",
        "InvalidIdentityTokenException",
    ]
    assert records[0]["recipientAccountId"] == ACCOUNT


def test_sdks_find_the_token_in_its_file(household, issuer, name, platform, tmp_path, monkeypatch):
    role = household.role(name, trust())
    file = tmp_path / "token"
    file.write_text(issuer.token(claims(issuer)))
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    monkeypatch.setenv("AWS_ROLE_ARN", role)
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "from-file")
    monkeypatch.setenv("AWS_ENDPOINT_URL", platform.endpoint)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    session = botocore.session.Session()
    client = session.create_client("sts", "us-east-1")
    assert client.get_caller_identity()["Arn"].endswith(f":assumed-role/{name}/from-file")
    client.close()


def test_what_is_wrong_with_a_token_has_its_error(household, sts, issuer, name):
    role = household.role(name, trust(**{"issuer.example/team:sub": "repo:*"}))
    now_s = int(time.time())
    stranger = Issuer()
    good = issuer.token(claims(issuer))
    for token, error in (
        (issuer.token(claims(issuer, aud="others")), ("InvalidIdentityToken", 400)),
        (issuer.token(claims(issuer, iss="https://x.example")), ("InvalidIdentityToken", 400)),
        (issuer.token(claims(issuer, exp=now_s - 1)), ("ExpiredTokenException", 400)),
        (issuer.token(claims(issuer, nbf=now_s + 3600)), ("IDPRejectedClaim", 403)),
        (issuer.token(claims(issuer, sub="somebody")), ("AccessDenied", 403)),
        (stranger.token(claims(issuer)), ("InvalidIdentityToken", 400)),
        (issuer.token(claims(issuer), alg="none"), ("InvalidIdentityToken", 400)),
        (issuer.token(claims(issuer), kid="new"), ("InvalidIdentityToken", 400)),
        (good[:-8] + "AAAAAAAA", ("InvalidIdentityToken", 400)),
        ("no token", ("InvalidIdentityToken", 400)),
    ):
        assert refused(assume, sts, role, token) == error, error
    assert refused(assume, sts, role + "-none", good) == ("AccessDenied", 403)
    assert refused(assume, sts, role, good, DurationSeconds=7200) == ("ValidationError", 400)
    assert assume(sts, role, good, DurationSeconds=900)["Credentials"]["SessionToken"]
    # A provider that cannot be asked: its name stands for no address.
    iam = household.iam
    other = iam.create_open_id_connect_provider(Url="https://idp.invalid", ClientIDList=["c"])
    token = issuer.token(claims(issuer, iss="https://idp.invalid", aud="c"))
    assert refused(assume, sts, role, token) == ("IDPCommunicationError", 400)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=other["OpenIDConnectProviderArn"])


def test_tags_in_a_token_are_the_sessions(household, sts, issuer, name):
    both = {"Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]}
    plain = trust()
    tagging = json.loads(plain)
    tagging["Statement"][0].update(both)
    reads = allow(
        "lambda:ListFunctions", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    )
    role = household.role(name, plain, reads)
    tags = {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]}
    token = issuer.token(claims(issuer, **{"https://aws.amazon.com/tags": tags}))
    assert refused(assume, sts, role, token) == ("AccessDenied", 403)
    household.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(tagging))
    key = assume(sts, role, token)["Credentials"]
    assert "Functions" in household.client("lambda", key).list_functions()


def test_nothing_else_passes_unsigned(sts, platform, household, name, issuer):
    role = household.role(name, trust())
    assert refused(sts.get_caller_identity)[1] == 403
    saml = {"PrincipalArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/p", "SAMLAssertion": "abcd"}
    assert refused(sts.assume_role_with_saml, RoleArn=role, **saml)[1] == 501
    assert refused(sts.assume_role, RoleArn=role, RoleSessionName="ab")[1] == 403
    http = urllib3.PoolManager()
    try:
        for fields in (
            "Action=AssumeRoleWithWebIdentity&Action=GetCallerIdentity&Version=2011-06-15",
            "Action=ListUsers&Version=2010-05-08",
            "Action=AssumeRoleWithWebIdentity&Version=2010-05-08",
        ):
            for answer in (
                http.request(
                    "POST",
                    platform.endpoint + "/",
                    body=fields,
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                ),
                http.request("GET", f"{platform.endpoint}/?{fields}"),
            ):
                assert answer.status == 403, (fields, answer.data)
        fields = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&Policy="
        for length, status in ((1000, 400), (66_000, 403)):
            answer = http.request(
                "POST",
                platform.endpoint + "/",
                body=fields + length * "x",
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            assert answer.status == status, "longer than any token: it is not even read"
    finally:
        http.clear()


def test_providers_are_kept_as_iam_keeps_them(household, issuer):
    iam, at = household.iam, {"OpenIDConnectProviderArn": PROVIDER}
    print_ = "0123456789abcdef0123456789abcdef01234567"
    iam.add_client_id_to_open_id_connect_provider(ClientID="more", **at)
    iam.update_open_id_connect_provider_thumbprint(ThumbprintList=[print_], **at)
    iam.tag_open_id_connect_provider(Tags=[{"Key": "team", "Value": "blue"}], **at)
    found = iam.get_open_id_connect_provider(**at)
    assert found["Url"] == "issuer.example/team"
    assert found["ClientIDList"] == ["clients", "more"]
    assert found["ThumbprintList"] == [print_]
    assert iam.list_open_id_connect_provider_tags(**at)["Tags"] == found["Tags"]
    iam.remove_client_id_from_open_id_connect_provider(ClientID="clients", **at)
    iam.untag_open_id_connect_provider(TagKeys=["team"], **at)
    found = iam.get_open_id_connect_provider(**at)
    assert (found["ClientIDList"], found["Tags"]) == (["more"], [])
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert {"Arn": PROVIDER} in listed
    assert iam.get_account_summary()["SummaryMap"]["Providers"] == len(listed)
    assert refused(iam.create_open_id_connect_provider, Url=issuer.url)[0] == "EntityAlreadyExists"
    for url in ("http://issuer.example", "https://a.example:8443", "https://a.example?x=1", "a.b"):
        assert refused(iam.create_open_id_connect_provider, Url=url)[0] == "InvalidInput"
    none = {"OpenIDConnectProviderArn": PROVIDER + "-none"}
    assert refused(iam.get_open_id_connect_provider, **none) == ("NoSuchEntity", 404)

"""Packages sealed with a key of the customer: ``SourceKMSKeyArn``."""

import asyncio
import base64
import hashlib
import io
import json
import os
import urllib.error
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

from alonzo.store.blobs import BlobStore
from alonzo.testing.callers import ACCOUNT, Household, allow
from alonzo.testing.daemon import REGION
from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, DeployedFunction, deploy, package

MARKER = f"marker-{os.urandom(8).hex()}"
#: Stored as it is, so that the marker would be found in a package that is not sealed.
CODE = f"def handler(event, context):\n    return event\n# {MARKER}\n"
ASKED = {"Runtime": PYTHON_RUNTIME, "Role": ROLE, "Handler": "handler.handler"}
#: Waits of the tests' own: the SDK's are a second long.
QUICK = {"Delay": 0.05, "MaxAttempts": 600}
CONTEXT = "kms:EncryptionContext:aws:lambda:FunctionArn"
OWN = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
#: As the developer guide has it.
LAMBDAS = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
    "Condition": {"StringLike": {CONTEXT: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:*"}},
}


@pytest.fixture
def client(lambda_client):
    return lambda_client


@pytest.fixture
def kms(boto):
    return boto("kms")


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def name(function_name, lambda_client):
    """Of a function that is gone afterwards."""
    yield function_name
    lambda_client.delete_function(FunctionName=function_name)


def policy(*statements):
    text = [{**statement, "Resource": "*"} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": text})


def made_key(kms):
    return kms.create_key(Policy=policy(OWN, LAMBDAS))["KeyMetadata"]["Arn"]


@pytest.fixture
def key(kms):
    made = made_key(kms)
    yield made
    kms.schedule_key_deletion(KeyId=made, PendingWindowInDays=7)


def zipped(text=CODE):
    """A package whose entries are not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        entry = zipfile.ZipInfo("handler.py")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, text)
    return buffer.getvalue()


def create(client, name, key, data=None, **more):
    client.create_function(
        FunctionName=name,
        Code={"ZipFile": data or zipped(), "SourceKMSKeyArn": key},
        **ASKED,
        **more,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=QUICK)
    return DeployedFunction(client, name, "")


def updated(client, name, **code):
    answer = client.update_function_code(FunctionName=name, **code)
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICK)
    return answer


def digest(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def code_of(client, name):
    return client.get_function(FunctionName=name)["Code"]


def download(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read()


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def files_with(folder, marker):
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and marker in path.read_bytes()
    ]


async def blobs_of(platform):
    blobs = BlobStore(platform.data_dir / "blobs", (platform.data_dir / "keys/blobs").read_bytes())
    return [await blobs.read(sha256) for sha256 in await blobs.list_digests()]


@pytest.mark.nightly
def test_the_platforms_own_key_does_not_open_it_and_the_trees_are_made_again(
    own_platform,
):
    """The last part without the trees: only then must the package be opened after a start."""
    platform = own_platform()
    client, kms = platform.client("lambda"), platform.client("kms")
    key = made_key(kms)
    made = create(client, "f", key)
    assert made.invoke(1).json == 1
    # Only the tree that is mounted has it in plain.
    found = files_with(platform.data_dir, MARKER.encode())
    assert {path.relative_to(platform.data_dir).parts[0] for path in found} == {"trees"}
    platform.kill()
    assert all(MARKER.encode() not in blob for blob in asyncio.run(blobs_of(platform)))
    for tree in (platform.data_dir / "trees").iterdir():
        tree.rename(platform.data_dir.parent / tree.name)
    platform.start()
    client, kms = platform.client("lambda"), platform.client("kms")
    made = DeployedFunction(client, "f", "")
    kms.disable_key(KeyId=key)
    code, message = refusal(client.invoke, FunctionName="f")
    assert code == "KMSDisabledException"
    assert "KMS Exception: DisabledException" in message
    kms.enable_key(KeyId=key)
    assert made.invoke(2).json == 2
    assert download(code_of(client, "f")["Location"]) == zipped()
    assert MARKER not in platform.log


def test_it_is_answered_kept_by_versions_and_gone_with_the_next_code(client, name, key):
    data = zipped()
    create(client, name, key, data)
    shown = client.get_function(FunctionName=name)
    assert shown["Code"]["SourceKMSKeyArn"] == key
    assert shown["Configuration"]["CodeSha256"] == digest(data)
    assert shown["Configuration"]["CodeSize"] == len(data)
    assert "SealedCode" not in shown["Configuration"]
    assert download(shown["Code"]["Location"]) == data
    version = client.publish_version(FunctionName=name, CodeSha256=digest(data))["Version"]
    # Sealed anew, and the same.
    assert updated(client, name, ZipFile=data, SourceKMSKeyArn=key)["CodeSha256"] == digest(data)
    assert client.publish_version(FunctionName=name)["Version"] == version
    client.update_function_configuration(FunctionName=name, Timeout=5)
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICK)
    assert code_of(client, name)["SourceKMSKeyArn"] == key
    updated(client, name, ZipFile=data)
    assert "SourceKMSKeyArn" not in code_of(client, name)
    assert client.publish_version(FunctionName=name)["Version"] != version, (
        "another key is a change"
    )
    kept = code_of(client, f"{name}:{version}")
    assert kept["SourceKMSKeyArn"] == key
    assert download(kept["Location"]) == data
    assert all("SealedCode" not in each for each in client.list_functions()["Functions"])


def test_without_its_key_nothing_new_is_deployed_and_what_runs_goes_on(client, kms, name, key):
    made = create(client, name, key)
    assert made.invoke(1).json == 1
    url = code_of(client, name)["Location"]
    # Lambda may seal, but not open: what was accepted cannot be unpacked.
    sealing = {**LAMBDAS, "Action": "kms:GenerateDataKey"}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(OWN, sealing))
    client.update_function_code(FunctionName=name, ZipFile=zipped(CODE + "#"), SourceKMSKeyArn=key)
    with pytest.raises(Exception, match="Failed"):
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICK)
    failed = client.get_function_configuration(FunctionName=name)
    assert failed["LastUpdateStatusReasonCode"] == "KMSKeyAccessDenied"
    assert made.invoke(2).json == 2
    kms.disable_key(KeyId=key)
    error = code_of(client, name)["Error"]
    assert error["ErrorCode"] == "DisabledException"
    with pytest.raises(urllib.error.HTTPError) as caught:
        download(url)
    with caught.value as answer:
        assert answer.code == 403
    code, message = refusal(
        client.update_function_code,
        FunctionName=name,
        ZipFile=zipped(),
        SourceKMSKeyArn=key,
    )
    assert code == "InvalidParameterValueException"
    assert "KMS Exception: DisabledException" in message
    assert made.invoke(3).json == 3
    assert kms.list_grants(KeyId=key)["Grants"] == [], "AWS makes none for packages"


def test_callers_and_lambda_need_leave_of_the_key(household, client, kms, name, key):
    deploy(client, name, "x = 1")
    other = key.replace(REGION, "eu-west-1")
    unlisted = kms.create_key()["KeyMetadata"]["Arn"]
    for bad, error in (
        (unlisted, "AccessDeniedException"),
        (other, "InvalidArnException"),
        (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{'0' * 8}-0000-0000-0000-{'0' * 12}", "NotFound"),
    ):
        params = {"FunctionName": name, "ZipFile": package("x = 2"), "SourceKMSKeyArn": bad}
        code, message = refusal(client.update_function_code, **params)
        assert code == "InvalidParameterValueException"
        assert f"KMS Exception: {error}" in message
    rights, user_name = [allow("lambda:*")], name[-40:].strip("-")
    user = household.client("lambda", household.user(user_name, *rights))
    params["SourceKMSKeyArn"] = key
    assert "kms:GenerateDataKey" in refusal(user.update_function_code, **params)[1]
    via = {"StringEquals": {"kms:ViaService": f"lambda.{REGION}.amazonaws.com"}}
    household.let_user(user_name, *rights, allow("kms:GenerateDataKey", on=key, Condition=via))
    updated(user, name, ZipFile=package("x = 2"), SourceKMSKeyArn=key)
    shown = code_of(user, name)
    assert shown["SourceKMSKeyArn"] == key
    assert "Location" not in shown
    assert shown["Error"]["ErrorCode"] == "AccessDeniedException"
    assert "kms:Decrypt" in shown["Error"]["Message"]
    household.let_user(user_name, *rights, allow("kms:Decrypt", on=key))
    assert download(code_of(user, name)["Location"]) == package("x = 2")

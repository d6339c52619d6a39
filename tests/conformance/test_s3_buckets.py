"""Buckets as boto3 sees them: where they are, who may, lists of many keys, Lambda's packages."""

import io
import json
import urllib.error
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.aws_cli import run_all
from alonzo.testing.callers import ACCOUNT, Household, allow, client_of, document, root_of, trust
from alonzo.testing.functions import ADMIN_ROLE, PYTHON_RUNTIME, ROLE, package

THEIRS = "987654321098"
HANDLER = "def handler(event, context):\n    return {'from': 's3'}\n"


@pytest.fixture
def s3(boto):
    return boto("s3")


@pytest.fixture
def bucket(s3, function_name):
    """A bucket that goes with all that is in it."""
    name = function_name.lower()[-60:].strip("-")
    s3.create_bucket(Bucket=name)
    yield name
    empty(s3, name)
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


def empty(s3, name):
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for each in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
            s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"]


def test_a_bucket_of_another_region_says_where_it_is(boto, function_name):
    name = function_name.lower()[-40:].strip("-")
    far = boto("s3", "eu-west-1")
    there = {"LocationConstraint": "eu-west-1"}
    far.create_bucket(Bucket=name, CreateBucketConfiguration=there)
    assert far.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert boto("s3").head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
    # Lambda takes code from its own region alone.
    content = {"S3Bucket": name, "S3Key": "layer.zip"}
    with pytest.raises(ClientError, match="S3 Error Code: PermanentRedirect"):
        boto("lambda").publish_layer_version(LayerName="far", Content=content)
    listed = far.list_buckets(BucketRegion="eu-west-1")["Buckets"]
    assert name in [each["Name"] for each in listed]
    far.delete_bucket(Bucket=name)
    assert refusal(far.head_bucket, Bucket=name) == "404"


def test_pages_of_keys_that_are_hard_to_write_down(s3, bucket):
    keys = ["a b", "a+b", "ä/ö", "t\tt", "x&<y>/%41", "z" * 1024]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for name in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(name).paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
        found = [each["Key"] for page in pages for each in page["Contents"]]
        assert found == sorted(keys, key=str.encode)
    groups = s3.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]
    assert [each["Prefix"] for each in groups] == ["x&<y>/", "ä/"]


def test_a_policy_lets_strangers_read_once_public_policies_are_not_blocked(
    platform, s3, bucket, household
):
    s3.put_object(Bucket=bucket, Key="page", Body=b"hello")
    url = f"{platform.endpoint}/{bucket}/page"
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            **allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*"),
            "Principal": "*",
        },
    }
    given = {"Bucket": bucket, "Policy": json.dumps(policy)}
    assert refusal(s3.put_bucket_policy, **given) == "AccessDenied"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url, timeout=30)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(**given)
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == b"hello"
    # Nobody may write, and a user with no policy may read as anybody may.
    stranger = client_of(platform, "s3", household.user(bucket[-40:]))
    assert stranger.get_object(Bucket=bucket, Key="page")["Body"].read() == b"hello"
    put = {"Bucket": bucket, "Key": "page", "Body": b"x"}
    assert refusal(stranger.put_object, **put) == "AccessDenied"
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True}
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url, timeout=30)


def test_who_may_list_may_list_their_prefix_alone(platform, s3, bucket, household):
    s3.put_object(Bucket=bucket, Key="own/a", Body=b"")
    condition = {"StringLike": {"s3:prefix": "own/*"}}
    key = household.user(
        bucket[-40:], allow("s3:ListBucket", on=f"arn:aws:s3:::{bucket}", Condition=condition)
    )
    user = client_of(platform, "s3", key)
    assert user.list_objects_v2(Bucket=bucket, Prefix="own/")["KeyCount"] == 1
    assert refusal(user.list_objects_v2, Bucket=bucket) == "AccessDenied"
    assert refusal(user.list_objects_v2, Bucket=bucket, Prefix="other/") == "AccessDenied"


def test_a_condition_on_the_tags_of_an_object_sees_them(platform, s3, bucket, household):
    for team in ("blue", "red"):
        s3.put_object(Bucket=bucket, Key=team, Body=b"x", Tagging=f"team={team}")
    condition = {"StringEquals": {"s3:ExistingObjectTag/team": "blue"}}
    key = household.user(
        bucket[-40:], allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*", Condition=condition)
    )
    user = client_of(platform, "s3", key)
    assert user.get_object(Bucket=bucket, Key="blue")["ContentLength"] == 1
    assert refusal(user.get_object, Bucket=bucket, Key="red") == "AccessDenied"


def test_a_browser_gets_what_the_cors_rules_say(platform, s3, bucket):
    rule = {
        "AllowedMethods": ["GET"],
        "AllowedOrigins": ["https://*.example.com"],
        "AllowedHeaders": ["x-amz-*"],
        "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})

    def ask(origin):
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "X-Amz-Date",
        }
        request = urllib.request.Request(
            f"{platform.endpoint}/{bucket}/k", method="OPTIONS", headers=headers
        )
        return urllib.request.urlopen(request, timeout=30)

    with ask("https://app.example.com") as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        assert answer.headers["Access-Control-Max-Age"] == "60"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        ask("https://example.org")


def test_a_lifecycle_whose_date_has_come_is_carried_out(s3, bucket, eventually):
    for key in ("tmp/a", "kept"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    rule = {
        "Status": "Enabled",
        "Filter": {"Prefix": "tmp/"},
        "Expiration": {"Date": "2020-01-01T00:00:00Z"},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})

    def left():
        return [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]

    eventually(lambda: left() == ["kept"], within_s=30)
    (shown,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert shown["Expiration"]["Date"].isoformat() == "2020-01-01T00:00:00+00:00"


def test_code_and_layers_come_from_buckets(platform, s3, bucket, lambda_client, household):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="code.zip", Body=package(HANDLER))["VersionId"]
    s3.put_object(Bucket=bucket, Key="code.zip", Body=package(HANDLER.replace("s3", "newer")))
    name = bucket[-40:]
    lambda_client.create_function(
        FunctionName=name,
        Runtime=PYTHON_RUNTIME,
        Role=ROLE,
        Handler="handler.handler",
        Code={"S3Bucket": bucket, "S3Key": "code.zip", "S3ObjectVersion": first},
    )
    try:
        lambda_client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1}
        )
        answer = lambda_client.invoke(FunctionName=name)
        assert json.loads(answer["Payload"].read()) == {"from": "s3"}
        lambda_client.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key="code.zip")
        lambda_client.get_waiter("function_updated_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1}
        )
        answer = lambda_client.invoke(FunctionName=name)
        assert json.loads(answer["Payload"].read()) == {"from": "newer"}
    finally:
        lambda_client.delete_function(FunctionName=name)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("python/shared.py", "VALUE = 1")
    s3.put_object(Bucket=bucket, Key="layer.zip", Body=content.getvalue())
    layer = lambda_client.publish_layer_version(
        LayerName=name, Content={"S3Bucket": bucket, "S3Key": "layer.zip"}
    )
    assert layer["Content"]["CodeSize"] == len(content.getvalue())
    lambda_client.delete_layer_version(LayerName=name, VersionNumber=layer["Version"])
    # Who may not read the object cannot run it.
    key = household.user(name, allow("lambda:*"), allow("iam:PassRole"))
    with pytest.raises(ClientError, match="S3 Error Code: AccessDenied"):
        client_of(platform, "lambda", key).publish_layer_version(
            LayerName=name, Content={"S3Bucket": bucket, "S3Key": "layer.zip"}
        )


def test_what_failed_is_put_into_the_bucket_of_its_destination(
    s3, bucket, lambda_client, function, household, eventually
):
    failing = function("def handler(event, context): raise ValueError('as told')", Role=ADMIN_ROLE)
    destination = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    lambda_client.put_function_event_invoke_config(
        FunctionName=failing.name, MaximumRetryAttempts=0, DestinationConfig=destination
    )
    failing.invoke({"n": 1}, InvocationType="Event")
    prefix = f"aws/lambda/async/{failing.name}/"

    def records():
        return s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents")

    (found,) = eventually(records, within_s=30)
    record = json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    assert record["requestPayload"] == {"n": 1}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    weak = household.role(bucket[-40:], trust({"Service": "lambda.amazonaws.com"}), allow("logs:*"))
    refused = function("def handler(event, context): pass", Role=weak)
    with pytest.raises(ClientError, match="PutObject"):
        lambda_client.put_function_event_invoke_config(
            FunctionName=refused.name, DestinationConfig=destination
        )


def test_another_account_needs_the_policies_of_both(platform, s3, bucket):
    theirs = client_of(platform, "s3", root_of(platform, THEIRS))
    s3.put_object(Bucket=bucket, Key="shared", Body=b"x")
    # Their root user may do everything, but not to what is ours.
    assert refusal(theirs.get_object, Bucket=bucket, Key="shared") == "AccessDenied"
    assert refusal(theirs.delete_bucket, Bucket=bucket) == "AccessDenied"
    assert refusal(theirs.create_bucket, Bucket=bucket) == "BucketAlreadyExists"
    statement = allow("s3:GetObject", "s3:GetBucketPolicy", on=f"arn:aws:s3:::{bucket}*")
    assert (
        refusal(
            s3.put_bucket_policy, Bucket=bucket, Policy=document(statement | {"Principal": THEIRS})
        )
        == "MalformedPolicy"
    )
    policy = document(
        {
            **statement,
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            "Principal": {"AWS": THEIRS},
        }
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert theirs.get_object(Bucket=bucket, Key="shared")["Body"].read() == b"x"
    assert refusal(theirs.put_object, Bucket=bucket, Key="shared", Body=b"y") == "AccessDenied"
    # A policy of a bucket is for its owner alone, whatever it says.
    assert refusal(theirs.get_bucket_policy, Bucket=bucket) == "MethodNotAllowed"
    theirs.close()


def test_the_owner_that_a_request_expects_must_be_the_owner(s3, bucket):
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=ACCOUNT)
    assert refusal(s3.head_bucket, Bucket=bucket, ExpectedBucketOwner=THEIRS) == "403"


#: Runs commands line by line in one interpreter: starting it takes longer than they do.
def test_the_cli_makes_shows_and_removes_buckets(platform, tmp_path, function_name):
    name = function_name.lower()[-40:].strip("-")
    commands = [
        ["s3", "mb", f"s3://{name}"],
        ["s3api", "put-object", "--bucket", name, "--key", "in/a"],
        ["s3api", "put-object", "--bucket", name, "--key", "b"],
        ["s3", "ls", f"s3://{name}"],
        ["s3api", "put-bucket-tagging", "--bucket", name, "--tagging",
         "TagSet=[{Key=a,Value=b}]"],
        ["s3api", "get-bucket-tagging", "--bucket", name],
        ["s3api", "list-objects-v2", "--bucket", name, "--delimiter", "/"],
        ["s3api", "get-bucket-location", "--bucket", name],
        ["s3api", "list-object-versions", "--bucket", name, "--max-items", "1"],
        ["s3", "rb", f"s3://{name}", "--force"],
    ]  # fmt: skip
    printed = run_all(platform, tmp_path, commands)
    assert "PRE in/" in printed[3]
    assert json.loads(printed[5]) == {"TagSet": [{"Key": "a", "Value": "b"}]}
    assert [each["Key"] for each in json.loads(printed[6])["Contents"]] == ["b"]
    assert json.loads(printed[7]) == {"LocationConstraint": None}

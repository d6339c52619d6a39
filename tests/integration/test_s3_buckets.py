"""Buckets over a real store: lists, lifecycles, notifications in the outbox, limits of a delete."""

import asyncio
import json

import pytest

from alonzo.lib.clock import ManualClock, utc
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.s3.api import Buckets, operations
from alonzo.store.blobs import BlobStore
from alonzo.store.sqlite import SqliteStore

ACCOUNT, OTHER = "123456789012", "210987654321"
DAY = 86_400.0
START = 20_000 * DAY
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"


class Calls:
    """Takes what S3 sends; refuses what is in ``closed``."""

    def __init__(self):
        self.sent, self.closed, self.failing = [], set(), False
        self.called = asyncio.Event()

    def offers(self, service):
        return service in ("sqs", "sns")

    async def call(self, call, use):
        self._take(call.params.get("QueueUrl") or call.params["TopicArn"], call.params, use)

    async def check_invoke(self, function_arn, use):
        if function_arn in self.closed:
            raise AwsError("AccessDeniedException", "no")

    async def invoke(self, function_arn, payload, use):
        self._take(function_arn, json.loads(payload), use)

    def _take(self, target, document, use):
        self.called.set()
        if target in self.closed:
            raise AwsError("AccessDeniedException", "no")
        if self.failing:
            raise AwsError("ServiceException", "not now")
        self.sent.append((target, document, use))


class Rig:
    def __init__(self, runner, buckets, calls, clock):
        self.runner, self.buckets, self.calls, self.clock = runner, buckets, calls, clock
        self.operations = operations(buckets)

    def __call__(self, operation, account=ACCOUNT, region="us-east-1", **params):
        root = Principal(account, f"arn:aws:iam::{account}:root", account, "AKIA", is_root=True)
        context = RequestContext("R", account, region, root, "http://localhost", "1.2.3.4")
        return self.runner.run(self.operations[operation](context, {"Bucket": "bucket", **params}))

    def refusal(self, operation, **params):
        with pytest.raises(AwsError) as caught:
            self(operation, **params)
        return caught.value.code

    def put(self, *keys):
        return [self("PutObject", Key=key, Body=b"x").get("VersionId") for key in keys]

    def expire(self):
        bucket = self.buckets.directory.find_nowait("bucket")
        return self.runner.run(self.buckets.expiry.expire(bucket))

    def versions(self):
        found = self("ListObjectVersions")
        shown = [*found["Versions"], *found["DeleteMarkers"]]
        return sorted((each["Key"], each["VersionId"], each["IsLatest"]) for each in shown)

    def deliver(self, count):
        """Deliver until so many were sent; with 0, until one was tried."""

        async def deliver():
            task = asyncio.get_running_loop().create_task(self.buckets.notifier.run())
            try:
                async with asyncio.timeout(30):
                    await self.calls.called.wait()
                    while len(self.calls.sent) < count:
                        self.calls.called.clear()
                        await self.calls.called.wait()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        self.calls.called.clear()
        self.runner.run(deliver())
        return self.calls.sent


@pytest.fixture
def s3(tmp_path):
    clock, calls = ManualClock(START), Calls()
    with asyncio.Runner() as runner:
        store = runner.run(SqliteStore.open(tmp_path / "a.db", clock=clock))
        buckets = Buckets(
            store,
            BlobStore(tmp_path / "objects", b"b" * 32),
            calls,
            encryption=None,
            key=b"k" * 32,
            clock=clock,
            ids=SystemIds(),
        )
        runner.run(buckets.open())
        rig = Rig(runner, buckets, calls, clock)
        rig("CreateBucket")
        yield rig
        runner.run(store.close())


def pages(s3, operation, markers, **params):
    """All pages: what each shows, entries and groups together."""
    found = []
    while True:
        page = s3(operation, **params)
        entries = [*page.get("Contents", ()), *page.get("Versions", ()), *page["CommonPrefixes"]]
        entries += page.get("DeleteMarkers", ())
        found.append([each.get("Key") or each["Prefix"] for each in entries])
        if not page["IsTruncated"]:
            return found
        for name, answered in markers.items():
            params.pop(name, None)
            if answered in page:
                params[name] = page[answered]


def test_lists_of_objects_go_on_where_they_ended(s3):
    s3.put("a", "b/1", "b/2", "c/1", "d", "é/1")
    token = {"ContinuationToken": "NextContinuationToken"}
    assert pages(s3, "ListObjectsV2", token, MaxKeys=2) == [
        ["a", "b/1"],
        ["b/2", "c/1"],
        ["d", "é/1"],
    ]
    grouped = pages(s3, "ListObjectsV2", token, MaxKeys=2, Delimiter="/")
    assert grouped == [["a", "b/"], ["d", "c/"], ["é/"]]
    assert pages(s3, "ListObjectsV2", token, Prefix="b/", StartAfter="b/1") == [["b/2"]]
    marker = {"Marker": "NextMarker"}
    assert pages(s3, "ListObjects", marker, MaxKeys=3, Delimiter="/") == [
        ["a", "b/", "c/"],
        ["d", "é/"],
    ]
    page = s3("ListObjectsV2", EncodingType="url", Prefix="é")
    assert [each["Key"] for each in page["Contents"]] == ["%C3%A9/1"]
    assert s3("ListObjectsV2", MaxKeys=0)["KeyCount"] == 0
    assert s3.refusal("ListObjectsV2", ContinuationToken="made up") == "InvalidArgument"


def test_lists_of_versions_have_markers_and_go_on_in_the_midst_of_a_key(s3):
    s3("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    s3.put("a", "b", "b", "b", "c")
    s3("DeleteObject", Key="a")
    markers = {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"}
    assert pages(s3, "ListObjectVersions", markers, MaxKeys=2) == [
        ["a", "a"],
        ["b", "b"],
        ["b", "c"],
    ]
    # The page goes on though what it ended with is gone.
    page = s3("ListObjectVersions", MaxKeys=3)
    for each in [*page["Versions"], *page["DeleteMarkers"]]:
        s3("DeleteObject", Key=each["Key"], VersionId=each["VersionId"])
    rest = s3(
        "ListObjectVersions",
        KeyMarker=page["NextKeyMarker"],
        VersionIdMarker=page["NextVersionIdMarker"],
    )
    assert [each["Key"] for each in rest["Versions"]] == ["b", "b", "c"]
    assert s3("ListObjectsV2")["KeyCount"] == 2


def test_names_are_global_and_a_bucket_goes_only_empty(s3):
    assert s3.refusal("CreateBucket", account=OTHER) == "BucketAlreadyExists"
    s3("CreateBucket")  # In us-east-1, one's own again.
    assert s3.refusal("CreateBucket", region="eu-west-1") == "IllegalLocationConstraintException"
    there = {"LocationConstraint": "eu-west-1"}
    s3("CreateBucket", Bucket="over-there", region="eu-west-1", CreateBucketConfiguration=there)
    again = {"Bucket": "over-there", "CreateBucketConfiguration": there}
    assert s3.refusal("CreateBucket", **again) == "BucketAlreadyOwnedByYou"
    assert s3("GetBucketLocation", Bucket="over-there") == there
    assert s3.refusal("HeadBucket", ExpectedBucketOwner=OTHER) == "AccessDenied"
    s3.put("k")
    assert s3.refusal("DeleteBucket") == "BucketNotEmpty"
    s3("DeleteObject", Key="k")
    s3("CreateMultipartUpload", Key="begun")
    s3("DeleteBucket")
    assert s3.refusal("ListObjectsV2") == "NoSuchBucket"
    # A new one of the name has nothing of the old one.
    s3("CreateBucket", account=OTHER)
    assert not s3("ListMultipartUploads", account=OTHER).get("Uploads")


def test_a_lifecycle_ends_versions_markers_and_uploads(s3):
    s3("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    (old,) = s3.put("log/a")
    s3.put("keep")
    upload = s3("CreateMultipartUpload", Key="log/u")["UploadId"]
    rule = {
        "ID": "r",
        "Status": "Enabled",
        "Filter": {"Prefix": "log/"},
        "Expiration": {"Days": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
    }
    s3("PutBucketLifecycleConfiguration", LifecycleConfiguration={"Rules": [rule]})
    assert s3("GetBucketLifecycleConfiguration")["Rules"] == [rule]
    assert s3.expire() == 0
    s3.clock.advance(DAY)
    assert s3.expire() == 1
    (keep, marker, first) = s3.versions()
    assert (keep[0], keep[2]) == ("keep", True)
    assert {marker[1:], first[1:]} >= {(old, False)}
    # The version that it covers goes a day later, and then the marker itself.
    s3.clock.advance(DAY)
    assert s3.expire() == 1
    assert s3.expire() == 1
    assert [key for key, _, _ in s3.versions()] == ["keep"]
    assert s3("ListMultipartUploads")["Uploads"][0]["UploadId"] == upload
    s3.clock.advance(DAY)
    assert s3.expire() == 1
    assert not s3("ListMultipartUploads").get("Uploads")


def test_a_date_is_kept_and_shown(s3):
    rule = {"ID": "r", "Status": "Enabled", "Prefix": "", "Expiration": {"Date": utc(START)}}
    s3.put("a")
    s3("PutBucketLifecycleConfiguration", LifecycleConfiguration={"Rules": [rule]})
    assert s3("GetBucketLifecycleConfiguration")["Rules"] == [rule]
    assert s3.expire() == 1
    assert s3("ListObjectsV2")["KeyCount"] == 0


def subscribe(s3, **more):
    configuration = {
        "QueueConfigurations": [
            {"Id": "q", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
        ]
    }
    s3("PutBucketNotificationConfiguration", NotificationConfiguration=configuration | more)
    return configuration


def test_what_happens_is_told_once_it_has_happened(s3):
    configuration = subscribe(s3)
    assert s3("GetBucketNotificationConfiguration") == configuration
    ((_, tested, _),) = s3.calls.sent
    assert json.loads(tested["MessageBody"])["Event"] == "s3:TestEvent"
    s3.put("in/a b")
    s3("DeleteObject", Key="in/a b")
    _, *told = s3.deliver(3)
    records = [json.loads(params["MessageBody"])["Records"][0] for _, params, _ in told]
    records.sort(key=lambda each: each["s3"]["object"]["sequencer"])
    assert [each["eventName"] for each in records] == ["ObjectCreated:Put", "ObjectRemoved:Delete"]
    assert {each["s3"]["object"]["key"] for each in records} == {"in/a+b"}
    use = told[0][2]
    assert (use.service, use.source_arn, use.account) == (
        "s3.amazonaws.com",
        "arn:aws:s3:::bucket",
        ACCOUNT,
    )


def test_a_destination_that_fails_is_tried_again_and_one_that_refuses_is_not(s3):
    function = {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"], "Id": "f"}
    subscribe(s3, QueueConfigurations=[], LambdaFunctionConfigurations=[function])
    s3.calls.failing = True
    s3.put("a")
    s3.deliver(0)
    assert not s3.calls.sent
    s3.calls.failing = False
    s3.clock.advance(10)
    ((target, document, _),) = s3.deliver(1)
    assert target == FUNCTION
    assert document["Records"][0]["s3"]["configurationId"] == "f"
    s3.calls.closed.add(FUNCTION)
    refused = {
        "NotificationConfiguration": {"LambdaFunctionConfigurations": [function]},
    }
    assert s3.refusal("PutBucketNotificationConfiguration", **refused) == "InvalidArgument"


@pytest.mark.parametrize(
    ("put", "params", "missing"),
    [
        ("Tagging", {"Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}, "NoSuchTagSet"),
        (
            "Cors",
            {
                "CORSConfiguration": {
                    "CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]
                }
            },
            "NoSuchCORSConfiguration",
        ),
        ("Policy", {}, "NoSuchBucketPolicy"),
    ],
)
def test_a_configuration_is_stored_shown_and_taken_away(s3, put, params, missing):
    if put == "Policy":
        params = {"Policy": json.dumps({"Statement": [STATEMENT]})}
    assert s3.refusal(f"GetBucket{put}") == missing
    s3(f"PutBucket{put}", **params)
    (kept,) = params.values()
    assert s3(f"GetBucket{put}") in (kept, params)
    s3(f"DeleteBucket{put}")
    assert s3.refusal(f"GetBucket{put}") == missing


STATEMENT = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::bucket/*",
}


def test_a_public_policy_is_refused_until_the_block_is_taken_away(s3):
    public = {"Policy": json.dumps({"Statement": [STATEMENT | {"Principal": "*"}]})}
    assert s3.refusal("PutBucketPolicy", **public) == "AccessDenied"
    s3("DeletePublicAccessBlock")
    assert s3.refusal("GetPublicAccessBlock") == "NoSuchPublicAccessBlockConfiguration"
    s3("PutBucketPolicy", **public)
    assert s3("GetBucketPolicyStatus") == {"PolicyStatus": {"IsPublic": True}}
    assert s3.refusal("GetBucketPolicy", account=OTHER) == "MethodNotAllowed"


def test_a_bucket_that_is_told_nothing_has_no_acls(s3):
    for acl in ("private", "public-read"):
        assert s3.refusal("PutBucketAcl", ACL=acl) == "AccessControlListNotSupported"

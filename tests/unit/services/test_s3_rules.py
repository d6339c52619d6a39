"""What S3 decides without looking anywhere: names, filters, policies, CORS, lifecycles."""

import json
from dataclasses import replace

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.s3.buckets import cors, lifecycle_rules, policies, settings
from alonzo.services.s3.buckets.lifecycle_judging import Judge, is_abandoned
from alonzo.services.s3.buckets.names import is_bucket_name
from alonzo.services.s3.changes import Cause
from alonzo.services.s3.notifications import events
from alonzo.services.s3.notifications.rules import checked, wishes_of
from alonzo.services.s3.records import Bucket, ObjectVersion

DAY = 86_400.0
NOON = 20_000 * DAY + DAY / 2
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
BUCKET = Bucket(1, 1, "b-1", "123456789012", "us-east-1", 0.0, documents={})


def version(key="k", number=1, *, at_s=NOON, latest=True, marker=False, size=1, tags=()):
    return ObjectVersion(
        number, 1, key, f"v{number}", latest, marker, size, "e" * 32, at_s, "o", tags=dict(tags)
    )


@pytest.mark.parametrize("name", ["abc", "a.b-c", "0" * 63, "my-bucket.example"])
def test_names_of_buckets(name):
    assert is_bucket_name(name)


@pytest.mark.parametrize(
    "name",
    ["ab", "0" * 64, "Abc", "a_b", "-ab", "ab-", "a..b", "1.2.3.4", "xn--a", "a-s3alias", "abc\n"],
)
def test_what_cannot_be_a_name(name):
    assert not is_bucket_name(name)


def notifications(*configurations):
    found = [
        {
            "LambdaFunctionArn": FUNCTION,
            "Events": events_,
            "Filter": {"Key": {"FilterRules": [{"Name": k, "Value": v} for k, v in rules.items()]}},
        }
        for events_, rules in configurations
    ]
    given = {"LambdaFunctionConfigurations": found}
    return wishes_of(checked(given, iter("abc").__next__, "us-east-1")).subscriptions


@pytest.mark.parametrize(
    ("event", "key", "wanted"),
    [
        ("ObjectCreated:Put", "in/a.jpg", True),
        ("ObjectCreated:CompleteMultipartUpload", "in/a.jpg", True),
        ("ObjectRemoved:Delete", "in/a.jpg", False),
        ("ObjectCreated:Put", "out/a.jpg", False),
        ("ObjectCreated:Put", "in/a.png", False),
    ],
)
def test_a_subscription_wants_events_of_its_kind_with_its_prefix_and_suffix(event, key, wanted):
    (one,) = notifications((["s3:ObjectCreated:*"], {"prefix": "in/", "suffix": ".jpg"}))
    assert one.wants(event, key) is wanted


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ({}, {}, "Configurations overlap."),
        ({"prefix": "a"}, {"prefix": "ab"}, "ambiguously defined"),
        ({"prefix": "a"}, {"suffix": "b"}, "ambiguously defined"),
        ({"prefix": "a"}, {"prefix": "b"}, None),
        ({"prefix": "a", "suffix": "x"}, {"prefix": "a", "suffix": "y"}, None),
    ],
)
def test_two_configurations_cannot_be_about_the_same(first, second, refused):
    both = ((["s3:ObjectCreated:*"], first), (["s3:ObjectCreated:Put"], second))
    if refused is None:
        assert len(notifications(*both)) == 2
        return
    with pytest.raises(AwsError, match=refused):
        notifications(*both)
    # Of other events they may.
    assert len(notifications(both[0], (["s3:ObjectRemoved:*"], second))) == 2


def test_a_record_has_what_its_event_has():
    cause = Cause("AIDA", "1.2.3.4", "R", NOON)

    def record(name, bucket=BUCKET):
        found = events.records(
            bucket, name, version("a b/é"), cause, sequencer="0A", configuration_id="c"
        )
        (one,) = json.loads(found)["Records"]
        return one

    made = record("ObjectCreated:Put")
    assert made["eventTime"] == "2024-10-04T12:00:00.000Z"
    assert made["eventVersion"] == "2.1"
    assert made["s3"]["object"] == {
        "key": "a+b/%C3%A9",
        "size": 1,
        "eTag": "e" * 32,
        "sequencer": "0A",
    }
    removed = record("ObjectRemoved:Delete", replace(BUCKET, versioning="Enabled"))
    assert removed["s3"]["object"] == {"key": "a+b/%C3%A9", "versionId": "v1", "sequencer": "0A"}


def statement(principal="*", **more):
    found = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b-1/*",
    }
    return json.dumps({"Statement": [found | more]})


@pytest.mark.parametrize(
    ("text", "public"),
    [
        (statement(), True),
        (statement({"AWS": ["*"]}), True),
        (statement({"AWS": "arn:aws:iam::111122223333:root"}), False),
        (statement(Condition={"StringEquals": {"aws:SourceAccount": "111122223333"}}), False),
        (statement(Condition={"StringLike": {"aws:PrincipalArn": "*"}}), True),
        (statement(Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), True),
        (statement(Condition={"Bool": {"aws:SecureTransport": "true"}}), True),
        (statement(Condition={"StringEquals": {"aws:SourceAccount": 111122223333}}), False),
        (statement(Effect="Deny"), False),
    ],
)
def test_which_policies_are_public(text, public):
    assert policies.is_public(text) is public


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"Resource": "arn:aws:s3:::other/*"}, "invalid resource"),
        ({"Action": "sqs:SendMessage"}, "invalid action"),
    ],
)
def test_a_policy_is_about_its_own_bucket(more, said):
    with pytest.raises(AwsError, match=said):
        policies.checked(statement(**more), BUCKET)
    policies.checked(statement(), BUCKET)


def cors_rules(**more):
    rule = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.com"]}
    return settings.checked_cors({"CORSRules": [rule | more]})


def test_a_preflight_is_answered_by_the_rule_that_fits():
    rules = cors_rules(AllowedHeaders=["x-amz-*"], MaxAgeSeconds=9, ExposeHeaders=["ETag"])
    origin = "https://www.example.com"
    assert cors.preflight(rules, origin, "PUT", ["X-Amz-Date", "x-amz-acl"]) == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, PUT",
        "Access-Control-Allow-Headers": "x-amz-date, x-amz-acl",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "ETag",
        "Access-Control-Max-Age": "9",
        "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }
    assert cors.preflight(rules, origin, "DELETE", []) is None
    assert cors.preflight(rules, origin, "GET", ["content-type"]) is None
    assert cors.preflight(rules, "https://example.org", "GET", []) is None
    anybody = cors_rules(AllowedOrigins=["*"])
    assert cors.on_answer(anybody, "null", "GET")["Access-Control-Allow-Origin"] == "*"
    assert not cors.on_answer(anybody, "null", "DELETE")


def lifecycle(**rule):
    given = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}} | rule
    return lifecycle_rules.in_force(lifecycle_rules.checked({"Rules": [given]}))


def ended(rules, now_s, *versions):
    judge = Judge(rules, now_s)
    found = [each for one in versions for each in judge.look(one)] + judge.finish()
    return [(each.key, each.id) for each in found]


def test_a_current_version_ends_at_the_midnight_after_its_days():
    rules = lifecycle(Expiration={"Days": 1})
    # Written at noon, it has lived for a day at noon: it goes at the midnight after.
    midnight = NOON + 1.5 * DAY
    assert ended(rules, midnight - 1, version()) == []
    assert ended(rules, midnight, version()) == [("k", 1)]


def test_a_filter_is_about_prefix_tags_and_size():
    both = {"Prefix": "a", "Tags": [{"Key": "t", "Value": "1"}], "ObjectSizeGreaterThan": 5}
    rules = lifecycle(Expiration={"Days": 1}, Filter={"And": both})
    fitting = version("ab", size=6, tags={"t": "1"})
    late = NOON + 9 * DAY
    assert ended(rules, late, fitting) == [("ab", 1)]
    others = [
        replace(fitting, key="b"),
        replace(fitting, size=5),
        replace(fitting, tags={"t": "2"}),
    ]
    assert [ended(rules, late, each) for each in others] == [[], [], []]


def test_older_versions_end_so_long_after_they_were_replaced_but_the_newest_of_them():
    rules = lifecycle(
        NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 1}
    )
    versions = [
        version(number=4, at_s=NOON),
        version(number=3, at_s=NOON - DAY, latest=False),
        version(number=2, at_s=NOON - 2 * DAY, latest=False),
        version(number=1, at_s=NOON - 3 * DAY, latest=False),
    ]
    assert ended(rules, NOON + 9 * DAY, *versions) == [("k", 2), ("k", 1)]
    # 2 was replaced by 3 at noon the day before.
    assert ended(rules, NOON, *versions) == [("k", 1)]


def test_a_delete_marker_without_versions_ends():
    rules = lifecycle(Expiration={"ExpiredObjectDeleteMarker": True})
    lone = version("a", 2, marker=True)
    covering = [version("b", 4, marker=True), version("b", 3, latest=False)]
    assert ended(rules, NOON, lone, *covering) == [("a", 2)]


def test_an_upload_that_nobody_completed_ends():
    rules = lifecycle(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 2})
    assert not is_abandoned(rules, "k", NOON, NOON + 2 * DAY)
    assert is_abandoned(rules, "k", NOON, NOON + 2.5 * DAY)


@pytest.mark.parametrize(
    "rule",
    [
        {"Status": "On"},
        {"Expiration": {"Days": 0}},
        {"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}},
        {"Expiration": {"Date": 1.0}},
        {"Filter": {"Prefix": "a", "Tag": {"Key": "a", "Value": "b"}}},
        {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]},
        {},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule):
    with pytest.raises(AwsError):
        lifecycle(**rule)

"""Which documents may be stored. Texts of the first table were recorded from CreatePolicy."""

import json

import pytest

from alonzo.lib.policies.compiled import PolicyError
from alonzo.lib.policies.grammar import read_identity, read_resource_based, read_trust

BUCKET = "arn:aws:s3:::example_bucket"
SYNTAX = "Syntax errors in policy."
VERSION = "Policy document must be version 2012-10-17 or greater."
LEGACY = "The policy failed legacy parsing"
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
COLON = "Actions/Condition can contain only one colon."
NO_ACTIONS = "Policy statement must contain actions."
NO_RESOURCES = "Policy statement must contain resources."


def statement(**changes):
    whole = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": BUCKET} | changes
    return {name: value for name, value in whole.items() if value is not None}


def document(*statements, **changes):
    whole = {"Version": "2012-10-17", "Statement": list(statements) or statement()} | changes
    return {name: value for name, value in whole.items() if value is not None}


def refusal_of(read, value):
    with pytest.raises(PolicyError) as refused:
        read(value if isinstance(value, str) else json.dumps(value))
    return str(refused.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("This is not a json document", SYNTAX),
        ("[" * 100_000, SYNTAX),
        ("[]", SYNTAX),
        (" {}", "JSON strings must not have leading spaces"),
        ('{"Version":"2012-10-17","Version":"2012-10-17"}', SYNTAX),
        (document(Version=None), VERSION),
        (document(Version="2008-10-17"), VERSION),
        (document(Version="2013-10-17"), SYNTAX),
        ({"Version": "2012-10-17"}, SYNTAX),
        (document(Statement=[]), SYNTAX),
        (document("afd"), SYNTAX),
        (document(Extra="value"), SYNTAX),
        (document(Id=["x"]), SYNTAX),
        (document(statement(Extra="value")), SYNTAX),
        (document(statement(Effect="invalid")), SYNTAX),
        (document(statement(Effect=None)), SYNTAX),
        (document(statement(Effect="denY")), LEGACY),
        (document(statement(Effect="denY"), Version=None), VERSION),
        (document(statement(Action="invalid")), VENDOR),
        (document(statement(Action=None, NotAction="")), VENDOR),
        (document(statement(Action="a a:ListBucket")), "Vendor a a is not valid"),
        (document(statement(Action="s3:List:Bucket")), COLON),
        (document(statement(Action=[[]])), SYNTAX),
        (document(statement(Action={})), SYNTAX),
        (document(statement(Action=[])), NO_ACTIONS),
        (document(statement(Action=None)), NO_ACTIONS),
        (document(statement(NotAction="iam:x")), SYNTAX),
        (document(statement(Resource=None)), NO_RESOURCES),
        (document(statement(Resource=[])), NO_RESOURCES),
        (document(statement(NotResource="*")), SYNTAX),
        (document(statement(Resource={"a": BUCKET})), SYNTAX),
        (document(statement(Resource="")), 'Resource  must be in ARN format or "*".'),
        (document(statement(Resource=["adf"])), 'Resource adf must be in ARN format or "*".'),
        (
            document(statement(Resource="a:b:cadfsdf")),
            'Partition "b" is not valid for resource "arn:b:cadfsdf:*:*:*".',
        ),
        (
            document(statement(Resource="a:b:c:d:e:f:g:h")),
            'Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".',
        ),
        (
            document(statement(Resource="aws:s3:::example_bucket")),
            'Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".',
        ),
        (
            document(statement(Resource="arn:aws")),
            "Resource vendor must be fully qualified and cannot contain regexes.",
        ),
        (document(statement(Resource="arn:aws:s3::example_bucket")), LEGACY),
        (document(statement(Resource="arn:aws::::example_bucket")), LEGACY),
        (document(statement(Resource="arn:aws::fdsasf")), LEGACY),
        (
            document(statement(Resource="arn:aws:iam:us-east-1::x")),
            "IAM resource arn:aws:iam:us-east-1::x cannot contain region information.",
        ),
        (
            document(statement(Resource="arn:aws:s3:us-east-1::x")),
            "Resource arn:aws:s3:us-east-1::x can not contain region information.",
        ),
        (
            document(statement(Resource="arn:aws:iam:::example_bucket")),
            'IAM resource path must either be "*" or start with user/, federated-user/, role/, '
            "group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, "
            "saml-provider/, oidc-provider/, report/, access-report/.",
        ),
        (document(statement(Condition=[])), SYNTAX),
        (document(statement(Condition={"a": "b"})), SYNTAX),
        (document(statement(Condition={"x": {"a": "1"}})), SYNTAX),
        (document(statement(Condition={"DateGreaterThan": {"a": {}}})), SYNTAX),
        (document(statement(Condition={"ForAnyValue::StringEquals": {"a": "b"}})), SYNTAX),
        (document(statement(Condition={"DateGreaterThan": {"a": "sdfdsf"}})), LEGACY),
        (document(statement(Condition={"DateLessThan": {"a": "9223372036854775808"}})), LEGACY),
        (document(statement(Condition={"DateLessThan": {"a": "234-13"}})), LEGACY),
        (document(statement(Sid={})), SYNTAX),
        (
            document(statement(Sid="a"), statement(Sid="a")),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (document(statement(Principal="*")), "Policy document should not specify a principal."),
    ],
)
def test_no_identity_based_policy(value, text):
    assert refusal_of(read_identity, value) == text


@pytest.mark.parametrize(
    "value",
    [
        document(statement()),
        document(Statement=[statement(), statement(Action="*", Resource="*")]),
        document(statement(Action="iam: asdf safdsf af ")),
        document(statement(Action="s3.s:ListBucket")),
        document(statement(Resource="arn:aws:fdsasf")),
        document(statement(Resource="arn:aws:iam:::user/x")),
        document(statement(Resource="arn:aws:iam::*:user/${aws:username}")),
        document(statement(Resource="arn:aws:invalid-service:us-east-1::example_bucket")),
        document(statement(Condition={})),
        document(statement(Condition={"DateGreaterThan": {}})),
        document(statement(Condition={"DateGreaterThan": {"a": []}})),
        document(statement(Condition={"a": {}})),
        document(statement(Condition={"DateLessThan": {"a": "-292275054"}})),
        document(statement(Condition={"DateLessThan": {"a": "2016-12-13t2:00:00.593194+23"}})),
        document(statement(Condition={"ForAnyValue:StringEqualsIfExists": {"a": "asf"}})),
        document(statement(Condition={"Bool": {"aws:SecureTransport": False}})),
        document(statement(), Id="x"),
        document({"Effect": "Deny", "NotAction": "s3:x", "NotResource": ["*"]}),
    ],
)
def test_an_identity_based_policy(value):
    assert read_identity(json.dumps(value))[0] == value


def trust(**changes):
    whole = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    } | changes
    return document({name: value for name, value in whole.items() if value is not None})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("nonsense", "This policy contains invalid Json"),
        (trust(Resource="*"), "Has prohibited field Resource"),
        (trust(Principal=None), "Missing required field Principal"),
        (trust(Principal={"Nobody": "x"}), SYNTAX),
        (
            trust(Action="s3:GetObject"),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (trust(Action="*"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Action=None), "Missing required field Action"),
    ],
)
def test_no_trust_policy(value, text):
    assert refusal_of(read_trust, value) == text


def test_a_trust_policy_of_any_version():
    assert read_trust(json.dumps(trust()))[1].allows
    assert read_trust(json.dumps({**trust(), "Version": "2008-10-17"}))[1].allows


def test_a_resource_based_policy_needs_principals():
    assert refusal_of(read_resource_based, document()) == "Missing required field Principal"
    assert read_resource_based(json.dumps(document(statement(Principal="*"))))[1].allows


def test_a_document_with_half_a_character_is_none():
    value = document(statement(Principal="*", Action="\ud800:Get"))
    assert refusal_of(read_resource_based, value) == "Syntax errors in policy."

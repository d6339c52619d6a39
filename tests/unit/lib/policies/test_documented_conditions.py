"""AWS's documented examples: conditions and variables.

Each has the name of its page: of the IAM user guide, or of Lambda's developer guide.
"""

from typing import Any

import pytest

from alonzo.lib.policies import principals
from alonzo.testing.policy_examples import (
    BUCKET,
    FUNCTION,
    OBJECT,
    READ,
    ROLE,
    TOPIC,
    USER,
    A,
    B,
    Doc,
    Example,
    allow,
    by,
    check,
    deny,
    no,
    when,
    without,
    yes,
)

HOME = [
    allow(["s3:ListAllMyBuckets", "s3:GetBucketLocation"], "arn:aws:s3:::*"),
    allow(
        "s3:ListBucket",
        BUCKET,
        **when(StringLike={"s3:prefix": ["", "folders/", "folders/${aws:username}/"]}),
    ),
    allow("s3:*", [f"{BUCKET}/folders/${{aws:username}}", f"{BUCKET}/folders/${{aws:username}}/*"]),
]
OWN = {"aws:username": "bob"}
THREAD = f"arn:aws:dynamodb:us-east-1:{A}:table/Thread"
KEYS_OF_USERS = f"arn:aws:iam::{A}:user/x"
DELETE_KEY = "iam:DeleteAccessKey"


def on_keys(**operators: Any) -> list[Doc]:
    return [allow("iam:*AccessKey*", f"arn:aws:iam::{A}:user/*", **when(**operators))]


CONDITIONS = [
    Example(
        "Condition operators: a principal's tag",
        [
            yes(DELETE_KEY, KEYS_OF_USERS, **{"aws:PrincipalTag/Job": "admin"}),
            no(DELETE_KEY, KEYS_OF_USERS, **{"aws:PrincipalTag/Job": "other"}),
            no(DELETE_KEY, KEYS_OF_USERS),
        ],
        identity=on_keys(StringEquals={"aws:PrincipalTag/job": "admin"}),
    ),
    Example(
        "Condition operators: a home directory",
        [
            yes("s3:ListBucket", BUCKET, **OWN, **{"s3:prefix": "folders/bob/"}),
            yes("s3:ListBucket", BUCKET, **OWN, **{"s3:prefix": ""}),
            no("s3:ListBucket", BUCKET, **OWN, **{"s3:prefix": "folders/eve/"}),
            yes("s3:PutObject", f"{BUCKET}/folders/bob/x", **OWN),
            no("s3:PutObject", f"{BUCKET}/folders/eve/x", **OWN),
            no("s3:PutObject", f"{BUCKET}/folders/bob/x"),
        ],
        identity=HOME,
    ),
    Example(
        "Condition operators: Numeric",
        [
            yes("s3:ListBucket", BUCKET, **{"s3:max-keys": "10"}),
            yes("s3:ListBucket", BUCKET, **{"s3:max-keys": "9.5"}),
            no("s3:ListBucket", BUCKET, **{"s3:max-keys": "11"}),
            no("s3:ListBucket", BUCKET),
        ],
        identity=[
            allow("s3:ListBucket", BUCKET, **when(NumericLessThanEquals={"s3:max-keys": "10"}))
        ],
    ),
    Example(
        "Condition operators: Date",
        [
            yes(DELETE_KEY, KEYS_OF_USERS, **{"aws:TokenIssueTime": "2020-06-01T00:00:00Z"}),
            no(DELETE_KEY, KEYS_OF_USERS, **{"aws:TokenIssueTime": "2019-12-31T23:59:59Z"}),
            no(DELETE_KEY, KEYS_OF_USERS),
        ],
        identity=on_keys(DateGreaterThan={"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}),
    ),
    Example(
        "Condition operators: Bool",
        [
            yes(READ, OBJECT, **{"aws:SecureTransport": "true"}),
            no(READ, OBJECT, **{"aws:SecureTransport": "false"}),
        ],
        identity=[
            allow(),
            deny("s3:*", [BUCKET, f"{BUCKET}/*"], **when(Bool={"aws:SecureTransport": "false"})),
        ],
    ),
    Example(
        "Condition operators: Binary",
        [yes(READ, key="QmluYXJ5"), no(READ, key="QmluYXJ6"), no(READ)],
        identity=[allow(**when(BinaryEquals={"key": "QmluYXJ5"}))],
    ),
    Example(
        "Condition operators: addresses of both kinds",
        [
            yes(READ, **{"aws:SourceIp": "203.0.113.255"}),
            yes(READ, **{"aws:SourceIp": "2001:db8:1234:5678::1"}),
            no(READ, **{"aws:SourceIp": "203.0.114.1"}),
            no(READ, **{"aws:SourceIp": "2001:db8:1234:5679::1"}),
        ],
        identity=[
            allow(**when(IpAddress={"aws:SourceIp": ["203.0.113.0/24", "2001:DB8:1234:5678::/64"]}))
        ],
    ),
    Example(
        "Condition operators: ArnEquals, a topic's queue",
        [
            yes("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q", **{"aws:SourceArn": TOPIC}),
            no("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q", **{"aws:SourceArn": f"{TOPIC}2"}),
            no("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q"),
        ],
        who=principals.service("sns.amazonaws.com"),
        resource=[
            allow(
                "SQS:SendMessage",
                **by({"Service": "sns.amazonaws.com"}),
                **when(ArnEquals={"aws:SourceArn": TOPIC}),
            )
        ],
    ),
    Example(
        "Condition operators: IfExists",
        [
            yes("ec2:RunInstances", **{"ec2:InstanceType": "t1.micro"}),
            no("ec2:RunInstances", **{"ec2:InstanceType": "x1.large"}),
            yes("ec2:RunInstances"),
        ],
        identity=[
            allow(
                "ec2:*", **when(StringLikeIfExists={"ec2:InstanceType": ["t1.*", "t2.*", "m3.*"]})
            )
        ],
    ),
    Example(
        "Condition operators: Null, temporary credentials only",
        [yes(READ, **{"aws:TokenIssueTime": "2020-06-01T00:00:00Z"}), no(READ)],
        identity=[allow(**when(Null={"aws:TokenIssueTime": "false"}))],
    ),
    Example(
        "Conditions with several keys or values: and between them, or within",
        [
            yes(READ, a="x", b="1", c="n"),
            yes(READ, a="y", b="2", c="n"),
            no(READ, a="x", b="3", c="n"),
            no(READ, a="z", b="1", c="n"),
            no(READ, a="x", b="1", c="m"),
            no(READ, a="x", b="1"),
        ],
        identity=[
            allow(**when(StringEquals={"a": ["x", "y"], "b": ["1", "2"]}, StringLike={"c": "n*"}))
        ],
    ),
    Example(
        "Conditions with several values: negated ones are nor",
        [yes(READ, a="z"), no(READ, a="x"), no(READ, a="y"), yes(READ)],
        identity=[allow(**when(StringNotEquals={"a": ["x", "y"]}))],
    ),
    Example(
        "Set operators: ForAllValues",
        [
            yes("dynamodb:GetItem", THREAD, attributes=("PostDateTime", "Message")),
            no("dynamodb:GetItem", THREAD, attributes=("PostDateTime", "ID")),
            no("dynamodb:GetItem", THREAD, attributes=("PostDateTime", "UserName")),
            yes("dynamodb:GetItem", THREAD),
        ],
        identity=[
            allow(
                "dynamodb:GetItem",
                THREAD,
                **when(ForAllValues_StringLike={"attributes": ["PostDateTime", "Message", "Tags"]}),
            )
        ],
    ),
    Example(
        "Set operators: ForAnyValue",
        [
            no("dynamodb:PutItem", THREAD, attributes=("PostDateTime", "Message")),
            yes("dynamodb:PutItem", THREAD, attributes=("UserName",)),
            yes("dynamodb:PutItem", THREAD),
        ],
        identity=[
            allow(),
            deny(
                "dynamodb:PutItem",
                THREAD,
                **when(ForAnyValue_StringLike={"attributes": ["ID", "PostDateTime"]}),
            ),
        ],
    ),
    Example(
        "Policy variables: a key that is not there, with a default",
        [
            yes(READ, "arn:aws:s3:::b/blue/x", **{"aws:PrincipalTag/team": "blue"}),
            no(READ, "arn:aws:s3:::b/red/x", **{"aws:PrincipalTag/team": "blue"}),
            yes(READ, "arn:aws:s3:::b/company-wide/x"),
            no(READ, "arn:aws:s3:::b/blue/x"),
        ],
        identity=[allow("s3:*", "arn:aws:s3:::b/${aws:PrincipalTag/team, 'company-wide'}/*")],
    ),
    Example(
        "Policy variables: the signs themselves",
        [
            yes(READ, "arn:aws:s3:::b/*/$"),
            no(READ, "arn:aws:s3:::b/x/$"),
        ],
        identity=[allow("s3:*", "arn:aws:s3:::b/${*}/${$}")],
    ),
    Example(
        "ABAC tutorial: tags of principal and resource agree",
        [
            yes(
                "secretsmanager:GetSecretValue",
                **{"aws:ResourceTag/p": "peg", "aws:PrincipalTag/p": "peg"},
            ),
            no(
                "secretsmanager:GetSecretValue",
                **{"aws:ResourceTag/p": "uni", "aws:PrincipalTag/p": "peg"},
            ),
            no("secretsmanager:GetSecretValue", **{"aws:ResourceTag/p": "peg"}),
            no("secretsmanager:GetSecretValue"),
        ],
        identity=[allow(**when(StringEquals={"aws:ResourceTag/p": "${aws:PrincipalTag/p}"}))],
    ),
    Example(
        "ABAC tutorial: only these keys of tags",
        [
            yes("secretsmanager:CreateSecret", **{"aws:TagKeys": ("team", "name")}),
            no("secretsmanager:CreateSecret", **{"aws:TagKeys": ("team", "cost")}),
        ],
        identity=[allow(**when(ForAllValues_StringEquals={"aws:TagKeys": ["team", "name"]}))],
    ),
    Example(
        "Confused deputy: ExternalId",
        [
            yes("sts:AssumeRole", ROLE, **{"sts:ExternalId": "12345"}),
            no("sts:AssumeRole", ROLE, **{"sts:ExternalId": "1"}),
            no("sts:AssumeRole", ROLE),
        ],
        identity=[allow("sts:AssumeRole")],
        resource=[
            without(
                allow(
                    "sts:AssumeRole",
                    **by({"AWS": USER.arn}),
                    **when(StringEquals={"sts:ExternalId": "12345"}),
                ),
                "Resource",
            )
        ],
        account=B,
    ),
]

LAMBDA_GUIDE = [
    Example(
        "Lambda, resource-based policies: a bucket of an account",
        [
            yes(
                "lambda:InvokeFunction",
                FUNCTION,
                **{"aws:SourceAccount": A, "aws:SourceArn": BUCKET},
            ),
            no(
                "lambda:InvokeFunction",
                FUNCTION,
                **{"aws:SourceAccount": B, "aws:SourceArn": BUCKET},
            ),
            no(
                "lambda:InvokeFunction",
                FUNCTION,
                **{"aws:SourceAccount": A, "aws:SourceArn": OBJECT},
            ),
            no("lambda:InvokeFunction", FUNCTION),
            no("lambda:GetFunction", FUNCTION, **{"aws:SourceAccount": A, "aws:SourceArn": BUCKET}),
        ],
        who=principals.service("s3.amazonaws.com"),
        resource=[
            allow(
                "lambda:InvokeFunction",
                FUNCTION,
                **by({"Service": "s3.amazonaws.com"}),
                **when(
                    StringEquals={"AWS:SourceAccount": A},
                    ArnLike={"AWS:SourceArn": BUCKET},
                ),
            )
        ],
    ),
    Example(
        "Lambda, access to layers: of one account only",
        [
            yes("lambda:CreateFunction", **{"lambda:Layer": (f"arn:aws:lambda:x:{A}:layer:l:1",)}),
            no("lambda:CreateFunction", **{"lambda:Layer": (f"arn:aws:lambda:x:{B}:layer:l:1",)}),
            no(
                "lambda:CreateFunction",
                **{
                    "lambda:Layer": (
                        f"arn:aws:lambda:x:{A}:layer:l:1",
                        f"arn:aws:lambda:x:{B}:layer:l:1",
                    )
                },
            ),
            yes("lambda:CreateFunction"),
        ],
        identity=[
            allow(
                ["lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"],
                **when(
                    ForAllValues_StringLike={"lambda:Layer": [f"arn:aws:lambda:*:{A}:layer:*:*"]}
                ),
            )
        ],
    ),
    Example(
        "Lambda, VPC condition keys: nothing outside of a network",
        [
            no("lambda:CreateFunction"),
            yes("lambda:CreateFunction", **{"lambda:VpcIds": "vpc-1"}),
        ],
        identity=[
            allow(),
            deny(
                ["lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"],
                **when(Null={"lambda:VpcIds": "true"}),
            ),
        ],
    ),
    Example(
        "Lambda, source function ARN",
        [
            yes("s3:PutObject", OBJECT, **{"lambda:SourceFunctionArn": FUNCTION}),
            no("s3:PutObject", OBJECT, **{"lambda:SourceFunctionArn": f"{FUNCTION}2"}),
            no("s3:PutObject", OBJECT),
        ],
        identity=[allow("s3:PutObject", **when(ArnEquals={"lambda:SourceFunctionArn": FUNCTION}))],
    ),
    Example(
        "Lambda, function URLs: public",
        [
            yes("lambda:InvokeFunctionUrl", FUNCTION, **{"lambda:FunctionUrlAuthType": "NONE"}),
            no("lambda:InvokeFunctionUrl", FUNCTION, **{"lambda:FunctionUrlAuthType": "AWS_IAM"}),
            yes("lambda:InvokeFunction", FUNCTION, **{"lambda:InvokedViaFunctionUrl": "true"}),
            no("lambda:InvokeFunction", FUNCTION),
        ],
        who=principals.anonymous(),
        resource=[
            allow(
                "lambda:InvokeFunctionUrl",
                FUNCTION,
                **by("*"),
                **when(StringEquals={"lambda:FunctionUrlAuthType": "NONE"}),
            ),
            allow(
                "lambda:InvokeFunction",
                FUNCTION,
                **by("*"),
                **when(Bool={"lambda:InvokedViaFunctionUrl": "true"}),
            ),
        ],
    ),
]


@pytest.mark.parametrize("example", [*CONDITIONS, *LAMBDA_GUIDE], ids=lambda example: example.page)
def test_an_example(example):
    check(example)

"""AWS's documented examples: which policies count, and the elements of their statements.

Each has the name of the page of the IAM user guide that it is from.
"""

import pytest

from alonzo.lib.policies import principals
from alonzo.testing.policy_examples import (
    BUCKET,
    OBJECT,
    READ,
    ROLE,
    ROOT,
    SESSION,
    SESSION_ARN,
    USER,
    A,
    Asks,
    B,
    Doc,
    Example,
    allow,
    by,
    check,
    deny,
    no,
    when,
    yes,
)

GRANTS = allow("s3:GetObject", OBJECT)
TO_USER, TO_ROLE, TO_SESSION, TO_ACCOUNT = (
    {**GRANTS, **by({"AWS": name})} for name in (USER.arn, ROLE, SESSION_ARN, A)
)
OTHERS = allow("sqs:*")

WITHIN_AN_ACCOUNT = [
    Example("Policy evaluation: identity-based", [yes(READ, OBJECT)], identity=[GRANTS]),
    Example("Policy evaluation: default", [no(READ, OBJECT), yes(READ, OBJECT, ROOT)]),
    Example("Policy evaluation: union with resource", [yes(READ, OBJECT)], resource=[TO_USER]),
    Example(
        "Policy evaluation: both together",
        [yes(READ, OBJECT), yes("sqs:SendMessage"), no("s3:PutObject", OBJECT)],
        identity=[OTHERS],
        resource=[TO_USER],
    ),
    Example(
        "Policy evaluation: boundary is an intersection",
        [yes(READ, OBJECT), no("sqs:SendMessage"), no("s3:PutObject", OBJECT)],
        identity=[OTHERS, GRANTS],
        boundary=[allow("s3:*")],
    ),
    # Resource-based policy, and an implicit deny elsewhere: by who is named.
    *(
        Example(
            f"Single account: {number} named, {limit} silent",
            [Asks(READ, OBJECT, allowed, who=who)],
            resource=[grant],
            **{limit: [OTHERS]},
        )
        for number, (grant, who, allowed) in enumerate(
            [
                (TO_USER, USER, True),
                (TO_SESSION, SESSION, True),
                (TO_ROLE, SESSION, False),
                (TO_ACCOUNT, USER, False),
            ]
        )
        for limit in ("boundary", "session")
    ),
    Example(
        "Single account: role named, no limits", [yes(READ, OBJECT, SESSION)], resource=[TO_ROLE]
    ),
    Example("Single account: account named", [no(READ, OBJECT)], resource=[TO_ACCOUNT]),
    Example(
        "Single account: account named, user allowed",
        [yes(READ, OBJECT)],
        identity=[GRANTS],
        resource=[TO_ACCOUNT],
    ),
    Example(
        "Session policies: intersection with the role's",
        [yes(READ, OBJECT), no("s3:PutObject", OBJECT), no("sqs:SendMessage")],
        who=SESSION,
        identity=[allow("s3:*"), OTHERS],
        session=[GRANTS, allow("ec2:*")],
    ),
    Example(
        "Session policies: with a boundary all three must allow",
        [yes(READ, OBJECT), no("s3:PutObject", OBJECT), no("s3:ListBucket", BUCKET)],
        who=SESSION,
        identity=[allow("s3:*")],
        boundary=[allow(["s3:GetObject", "s3:PutObject"])],
        session=[allow(["s3:GetObject", "s3:ListBucket"])],
    ),
    # Explicit and implicit denies.
    Example(
        "Explicit and implicit denies: implicit",
        [no("iam:ListUsers"), yes("s3:ListBucket", BUCKET)],
        identity=[allow("s3:*")],
    ),
    Example(
        "Explicit and implicit denies: explicit",
        [no("s3:ListBucket", BUCKET), yes("sqs:SendMessage")],
        identity=[allow(), deny("s3:*")],
    ),
    # Permissions boundaries.
    Example(
        "Permissions boundaries: ShirleyRodriguez",
        [no("iam:CreateUser"), no("s3:PutObject", OBJECT)],
        identity=[allow("iam:CreateUser")],
        boundary=[allow(["s3:*", "cloudwatch:*", "ec2:*"])],
    ),
    Example(
        "Permissions boundaries: delegating to Maria",
        [
            yes(
                "iam:CreateUser", f"arn:aws:iam::{A}:user/x", **{"iam:PermissionsBoundary": "bound"}
            ),
            no(
                "iam:CreateUser", f"arn:aws:iam::{A}:user/x", **{"iam:PermissionsBoundary": "other"}
            ),
            no("iam:CreateUser", f"arn:aws:iam::{A}:user/x"),
            no("iam:DeleteUserPermissionsBoundary", f"arn:aws:iam::{A}:user/x"),
        ],
        identity=[
            allow("iam:CreateUser", **when(StringEquals={"iam:PermissionsBoundary": "bound"})),
            allow("iam:*Boundary"),
            deny("iam:DeleteUserPermissionsBoundary"),
        ],
    ),
]

LOGS = [
    allow("s3:ListAllMyBuckets"),
    allow("s3:*Object*", "arn:aws:s3:::Production/*"),
    deny("s3:*", ["arn:aws:s3:::*log*", "arn:aws:s3:::*log*/*"]),
]
PRODUCTION = allow(
    ["s3:GetObject*", "s3:PutObject*", "s3:ReplicateObject", "s3:RestoreObject"],
    "arn:aws:s3:::Production/*",
    **by({"AWS": USER.arn}),
)
ACROSS_ACCOUNTS = [
    Example(
        "Cross-account evaluation: Carlos",
        [
            yes("s3:PutObject", "arn:aws:s3:::Production/x"),
            no("s3:DeleteObject", "arn:aws:s3:::Production/x"),
            no("s3:DeleteBucket", "arn:aws:s3:::Production"),
        ],
        identity=LOGS,
        resource=[PRODUCTION],
        account=B,
    ),
    Example(
        "Cross-account evaluation: Carlos and the logs",
        [no("s3:PutObject", "arn:aws:s3:::Production-logs/x")],
        identity=LOGS,
        account=B,
    ),
    Example(
        "Cross-account evaluation: one side is not enough",
        [no(READ, OBJECT)],
        identity=[GRANTS],
        account=B,
    ),
    Example(
        "Cross-account evaluation: nor is the other",
        [no(READ, OBJECT), no(READ, OBJECT, SESSION)],
        resource=[TO_USER, TO_ROLE, TO_SESSION],
        account=B,
    ),
    Example(
        "Principal element: a whole account",
        [yes(READ, OBJECT), yes(READ, OBJECT, SESSION), yes(READ, OBJECT, ROOT)],
        identity=[GRANTS],
        resource=[TO_ACCOUNT],
        account=B,
    ),
]

AUDIT = [SESSION_ARN, ROLE, f"arn:aws:iam::{A}:root"]
EVERYBODY = allow("s3:*", **by("*"))


def all_but(names: list[str]) -> Doc:
    return {
        "Effect": "Deny",
        "Action": "s3:*",
        "Resource": [BUCKET, OBJECT],
        "NotPrincipal": {"AWS": names},
    }


NOBODY_FROM_OUTSIDE = deny(
    "*",
    **when(
        NotIpAddress={"aws:SourceIp": ["192.0.2.0/24", "203.0.113.0/24"]},
        Bool={"aws:ViaAWSService": "false"},
    ),
)
ELEMENTS = [
    Example(
        "NotPrincipal: a user with their account",
        [yes(READ, OBJECT), no(READ, OBJECT, SESSION), no(READ, OBJECT, principals.anonymous())],
        identity=[GRANTS],
        resource=[EVERYBODY, all_but([USER.arn, f"arn:aws:iam::{A}:root"])],
    ),
    Example(
        "NotPrincipal: a session with role and account",
        [yes(READ, OBJECT, SESSION), no(READ, OBJECT)],
        resource=[EVERYBODY, all_but(AUDIT)],
    ),
    *(
        Example(
            "NotPrincipal: a name that is left out",
            [no(READ, OBJECT, SESSION)],
            resource=[EVERYBODY, all_but([name for name in AUDIT if name != missing])],
        )
        for missing in AUDIT
    ),
    Example(
        "NotPrincipal: nobody with a boundary is spared",
        [no(READ, OBJECT)],
        identity=[GRANTS],
        boundary=[allow()],
        resource=[EVERYBODY, all_but([USER.arn, f"arn:aws:iam::{A}:root"])],
    ),
    Example(
        "NotPrincipal: ArnNotEquals in its place",
        [
            yes(READ, OBJECT, **{"aws:PrincipalArn": USER.arn}),
            no(READ, OBJECT, **{"aws:PrincipalArn": f"{USER.arn}2"}),
        ],
        identity=[GRANTS],
        boundary=[allow()],
        resource=[
            deny("s3:*", **by("*"), **when(ArnNotEquals={"aws:PrincipalArn": USER.arn})),
        ],
    ),
    Example(
        "NotAction: all of S3 but one",
        [
            yes("s3:PutObject", OBJECT),
            no("s3:DeleteBucket", BUCKET),
            no("s3:ListAllMyBuckets"),
            no("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q"),
        ],
        identity=[
            {"Effect": "Allow", "NotAction": "s3:DeleteBucket", "Resource": "arn:aws:s3:::*"},
        ],
    ),
    Example(
        "NotAction: everything but IAM",
        [yes("s3:PutObject", OBJECT), no("iam:GetUser")],
        identity=[{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
    ),
    Example(
        "NotAction: nothing but IAM without a second factor",
        [
            no("s3:PutObject", OBJECT),
            no("s3:PutObject", OBJECT, **{"aws:MultiFactorAuthPresent": "false"}),
            yes("s3:PutObject", OBJECT, **{"aws:MultiFactorAuthPresent": "true"}),
            yes("iam:GetUser"),
        ],
        identity=[
            allow(),
            {
                "Effect": "Deny",
                "NotAction": "iam:*",
                "Resource": "*",
                **when(BoolIfExists={"aws:MultiFactorAuthPresent": "false"}),
            },
        ],
    ),
    Example(
        "NotResource: nothing but the payroll",
        [
            yes(READ, "arn:aws:s3:::HRBucket/Payroll/x"),
            no(READ, "arn:aws:s3:::HRBucket/Other/x"),
            no(READ, OBJECT),
            yes("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q"),
        ],
        identity=[
            allow(),
            {
                "Effect": "Deny",
                "Action": "s3:*",
                "NotResource": ["arn:aws:s3:::HRBucket/Payroll", "arn:aws:s3:::HRBucket/Payroll/*"],
            },
        ],
    ),
    Example(
        "Example: deny by requested region",
        [
            yes("sqs:SendMessage", **{"aws:RequestedRegion": "eu-west-1"}),
            no("sqs:SendMessage", **{"aws:RequestedRegion": "us-east-1"}),
            yes("iam:GetUser", **{"aws:RequestedRegion": "us-east-1"}),
        ],
        identity=[
            allow(),
            {
                "Effect": "Deny",
                "NotAction": ["iam:*", "cloudfront:*"],
                "Resource": "*",
                **when(StringNotEquals={"aws:RequestedRegion": ["eu-central-1", "eu-west-1"]}),
            },
        ],
    ),
    Example(
        "Example: deny by source address",
        [
            yes(READ, **{"aws:SourceIp": "203.0.113.9", "aws:ViaAWSService": "false"}),
            no(READ, **{"aws:SourceIp": "198.51.100.9", "aws:ViaAWSService": "false"}),
            yes(READ, **{"aws:SourceIp": "198.51.100.9", "aws:ViaAWSService": "true"}),
        ],
        identity=[allow(), NOBODY_FROM_OUTSIDE],
    ),
]


@pytest.mark.parametrize(
    "example", [*WITHIN_AN_ACCOUNT, *ACROSS_ACCOUNTS, *ELEMENTS], ids=lambda example: example.page
)
def test_an_example(example):
    check(example)

"""Whole decisions: AWS's documented examples, and every rule of the evaluation logic."""

import json

import pytest

from alonzo.lib.policies import principals
from alonzo.lib.policies.compiled import Request, compile_policy
from alonzo.lib.policies.denials import denial
from alonzo.lib.policies.evaluation import Policies, PolicyType, evaluate

ACCOUNT, OTHER = "111122223333", "444455556666"
CARLOS = principals.user(f"arn:aws:iam::{ACCOUNT}:user/carlossalazar", ACCOUNT, "AIDACARLOS")
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/path/worker"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/one"
SESSION = principals.role_session(
    SESSION_ARN, ACCOUNT, role_arn=ROLE_ARN, role_id="AROAWORKER", session_name="one"
)
ROOT = principals.root_user(ACCOUNT)
S3 = principals.service("s3.amazonaws.com")
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
ACTION = "lambda:InvokeFunction"


def policy(*statements):
    return compile_policy({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action=ACTION, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action=ACTION, resource="*", **more):
    return {**allow(action, resource, **more), "Effect": "Deny"}


def lets_in(name, **more):
    return policy(allow(Principal=name, **more))


def decide(caller, account=ACCOUNT, context=None, on=FUNCTION, **policies):
    request = Request(ACTION, on, caller, account, context or {})
    return evaluate(request, Policies(**policies))


ALLOWED = policy(allow())
NOTHING = policy(allow("s3:GetObject"))
DENIED = policy(deny())


@pytest.mark.parametrize(
    ("caller", "policies", "outcome"),
    [
        # Nobody is let in unless somebody says so.
        (CARLOS, {}, PolicyType.IDENTITY),
        (CARLOS, {"identity": [ALLOWED]}, None),
        (CARLOS, {"identity": [NOTHING, ALLOWED]}, None),
        (CARLOS, {"identity": [NOTHING]}, PolicyType.IDENTITY),
        (ROOT, {}, None),
        # A boundary and a session policy take away and never give.
        (CARLOS, {"boundary": ALLOWED}, PolicyType.IDENTITY),
        (CARLOS, {"identity": [ALLOWED], "boundary": ALLOWED}, None),
        (CARLOS, {"identity": [ALLOWED], "boundary": NOTHING}, PolicyType.BOUNDARY),
        (SESSION, {"identity": [ALLOWED], "session": [ALLOWED]}, None),
        (SESSION, {"identity": [ALLOWED], "session": [NOTHING, ALLOWED]}, None),
        (SESSION, {"identity": [ALLOWED], "session": [NOTHING]}, PolicyType.SESSION),
        (SESSION, {"identity": [ALLOWED], "session": []}, PolicyType.SESSION),
        (
            SESSION,
            {"identity": [ALLOWED], "boundary": NOTHING, "session": [NOTHING]},
            PolicyType.BOUNDARY,
        ),
        # Within one account a resource's policy may stand alone.
        (CARLOS, {"resource": lets_in({"AWS": CARLOS.arn})}, None),
        (CARLOS, {"resource": lets_in({"AWS": CARLOS.arn}), "boundary": NOTHING}, None),
        (CARLOS, {"resource": lets_in({"AWS": "AIDACARLOS"})}, None),
        (CARLOS, {"resource": lets_in("*")}, None),
        (CARLOS, {"resource": lets_in({"AWS": "*"})}, None),
        (CARLOS, {"resource": lets_in({"AWS": ACCOUNT})}, PolicyType.IDENTITY),
        (CARLOS, {"resource": lets_in({"AWS": ACCOUNT}), "identity": [ALLOWED]}, None),
        (CARLOS, {"resource": lets_in({"AWS": SESSION_ARN})}, PolicyType.IDENTITY),
        # A role's name stops at boundary and session policies; a session's name does not.
        (SESSION, {"resource": lets_in({"AWS": ROLE_ARN})}, None),
        (SESSION, {"resource": lets_in({"AWS": "AROAWORKER"})}, None),
        (
            SESSION,
            {"resource": lets_in({"AWS": ROLE_ARN}), "boundary": NOTHING},
            PolicyType.BOUNDARY,
        ),
        (
            SESSION,
            {"resource": lets_in({"AWS": ROLE_ARN}), "session": [NOTHING]},
            PolicyType.SESSION,
        ),
        (
            SESSION,
            {"resource": lets_in({"AWS": SESSION_ARN}), "boundary": NOTHING, "session": [NOTHING]},
            None,
        ),
        (SESSION, {"resource": lets_in("*"), "boundary": NOTHING, "session": [NOTHING]}, None),
        # Services have a resource's policy or nothing.
        (S3, {}, PolicyType.RESOURCE),
        (S3, {"resource": lets_in({"Service": "s3.amazonaws.com"})}, None),
        (S3, {"resource": lets_in({"Service": "sns.amazonaws.com"})}, PolicyType.RESOURCE),
        (S3, {"resource": lets_in("*")}, None),
        (S3, {"resource": lets_in({"AWS": "s3.amazonaws.com"})}, PolicyType.RESOURCE),
        (principals.anonymous(), {"resource": lets_in("*")}, None),
        (principals.anonymous(), {"resource": lets_in({"AWS": ACCOUNT})}, PolicyType.RESOURCE),
        (principals.anonymous(), {}, PolicyType.RESOURCE),
        (
            principals.federated("accounts.google.com", "someone"),
            {"resource": lets_in({"Federated": "accounts.google.com"})},
            None,
        ),
    ],
)
def test_within_one_account(caller, policies, outcome):
    decision = decide(caller, **policies)
    assert (decision.allowed, decision.type) == (outcome is None, outcome)
    assert not decision.explicit


@pytest.mark.parametrize("kind", ["identity", "boundary", "session", "resource"])
def test_a_deny_in_any_policy_wins(kind):
    everything = {
        "identity": [ALLOWED],
        "boundary": ALLOWED,
        "session": [ALLOWED],
        "resource": lets_in("*"),
    }
    assert decide(SESSION, **everything).allowed
    denying = {"resource": policy(deny(Principal="*"))}.get(kind, DENIED)
    everything[kind] = [denying] if isinstance(everything[kind], list) else denying
    decision = decide(SESSION, **everything)
    assert not decision.allowed
    assert decision.explicit
    assert decision.type is PolicyType[kind.upper()]


@pytest.mark.parametrize(
    ("policies", "outcome"),
    [
        ({"identity": [ALLOWED]}, PolicyType.RESOURCE),
        ({"resource": lets_in({"AWS": CARLOS.arn})}, PolicyType.IDENTITY),
        ({"resource": lets_in("*")}, PolicyType.IDENTITY),
        ({"identity": [ALLOWED], "resource": lets_in({"AWS": CARLOS.arn})}, None),
        ({"identity": [ALLOWED], "resource": lets_in({"AWS": ACCOUNT})}, None),
        ({"identity": [ALLOWED], "resource": lets_in({"AWS": OTHER})}, PolicyType.RESOURCE),
        (
            {"identity": [ALLOWED], "boundary": NOTHING, "resource": lets_in("*")},
            PolicyType.BOUNDARY,
        ),
    ],
)
def test_across_accounts_both_sides_must_allow(policies, outcome):
    decision = decide(CARLOS, OTHER, **policies)
    assert (decision.allowed, decision.type) == (outcome is None, outcome)


def test_a_root_user_is_a_stranger_in_other_accounts():
    assert not decide(ROOT, OTHER).allowed
    assert decide(ROOT, OTHER, resource=lets_in({"AWS": ACCOUNT})).allowed


def test_a_root_user_can_be_denied_by_a_resource():
    decision = decide(ROOT, resource=policy(deny(Principal="*")))
    assert decision.type is PolicyType.RESOURCE


def test_not_principal_spares_whom_it_names_with_all_their_names():
    def spared(*names):
        resource = policy(deny(NotPrincipal={"AWS": list(names)}))
        return decide(SESSION, identity=[ALLOWED], resource=resource).allowed

    assert spared(SESSION_ARN, ROLE_ARN, ACCOUNT)
    assert not spared(SESSION_ARN, ROLE_ARN)
    assert not spared(ROLE_ARN, ACCOUNT)
    assert not spared(OTHER)


def test_the_bucket_of_carlos():
    """IAM user guide, "Example identity-based and resource-based policy evaluation"."""
    identity = policy(
        {
            "Sid": "AllowS3ListRead",
            "Effect": "Allow",
            "Action": [
                "s3:GetBucketLocation",
                "s3:GetAccountPublicAccessBlock",
                "s3:ListAccessPoints",
                "s3:ListAllMyBuckets",
            ],
            "Resource": "arn:aws:s3:::*",
        },
        {
            "Sid": "AllowS3Self",
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": [
                "arn:aws:s3:::carlossalazar/*",
                "arn:aws:s3:::carlossalazar",
            ],
        },
        {
            "Sid": "DenyS3Logs",
            "Effect": "Deny",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::*log*",
        },
    )
    bucket = policy(allow("s3:*", "arn:aws:s3:::carlossalazar/*", Principal={"AWS": CARLOS.arn}))

    def may(action, resource, bucket_policy=None):
        request = Request(action, resource, CARLOS, ACCOUNT)
        return evaluate(request, Policies(identity=[identity], resource=bucket_policy))

    assert may("s3:PutObject", "arn:aws:s3:::carlossalazar/a").allowed
    assert may("s3:putobject", "arn:aws:s3:::carlossalazar/a").allowed
    assert may("s3:PutObject", "arn:aws:s3:::carlossalazar/a", bucket).allowed
    assert not may("s3:PutObject", "arn:aws:s3:::CarlosSalazar/a").allowed
    assert may("s3:ListAllMyBuckets", "arn:aws:s3:::x").allowed
    logs = may("s3:PutObject", "arn:aws:s3:::carlossalazar-logs/log1", bucket)
    assert logs.explicit
    assert [match.statement.sid for match in logs.matches] == ["DenyS3Logs"]


def test_not_action_and_not_resource_are_all_the_others():
    wide = policy({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::b/*"})

    def may(action, resource):
        return evaluate(Request(action, resource, CARLOS, ACCOUNT), Policies([wide])).allowed

    assert may("s3:GetObject", "arn:aws:s3:::c/1")
    assert not may("IAM:GetUser", "*")
    assert not may("s3:GetObject", "arn:aws:s3:::b/1")


@pytest.mark.parametrize(
    ("pattern", "resource", "fits"),
    [
        ("*", "*", True),
        (FUNCTION, FUNCTION, True),
        (FUNCTION, f"{FUNCTION}:1", False),
        (f"{FUNCTION}:*", f"{FUNCTION}:1", True),
        (f"{FUNCTION}*", f"{FUNCTION}:1", True),
        (f"{FUNCTION}?1", f"{FUNCTION}:1", True),
        ("arn:aws:lambda:*:*:function:*", FUNCTION, True),
        ("arn:aws:lambda:*:function:*", FUNCTION, False),
        ("arn:aws:lambda", FUNCTION, True),
        ("arn:aws:lambda:us-east-1", FUNCTION, True),
        ("arn:aws:lambda:us-west-1", FUNCTION, False),
        ("arn:*:lambda:*:*:*", FUNCTION, True),
        ("arn:aws:lambda:*:*:*", "*", False),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/carlos/x", True),
        ("arn:aws:s3:::b/${AWS:UserName}/*", "arn:aws:s3:::b/carlos/x", True),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/other/x", False),
        ("arn:aws:s3:::b/${aws:userid}/*", "arn:aws:s3:::b//x", False),
        ("arn:aws:s3:::b/${aws:userid, 'x'}", "arn:aws:s3:::b/x", True),
        ("arn:aws:s3:::b/${aws:star}", "arn:aws:s3:::b/anything", False),
        ("arn:aws:s3:::b/${aws:star}", "arn:aws:s3:::b/*", True),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", True),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x", False),
        ("arn:aws:s3:::b/${aws:several}", "arn:aws:s3:::b/1", False),
        ("arn:aws:s3:::b/*a*b", "arn:aws:s3:::b/xxaxxb", True),
        ("arn:aws:s3:::b/*a*b", "arn:aws:s3:::b/xxbxxa", False),
        ("arn:aws:s3:::b/a\nb*", "arn:aws:s3:::b/a\nb\nc", True),
    ],
)
def test_resources(pattern, resource, fits):
    context = {"aws:username": "carlos", "aws:star": "*", "aws:several": ("1", "2")}
    decision = decide(
        CARLOS, context=context, on=resource, identity=[policy(allow(resource=pattern))]
    )
    assert decision.allowed is fits


def test_variables_are_plain_text_before_2012():
    old = compile_policy(
        {
            "Statement": {
                "Effect": "Allow",
                "Action": "*",
                "Resource": "arn:aws:s3:::${aws:username}",
            }
        }
    )
    request = Request("s3:x", "arn:aws:s3:::${aws:username}", CARLOS, ACCOUNT)
    assert evaluate(request, Policies([old])).allowed


@pytest.mark.parametrize(
    ("policies", "text"),
    [
        ({}, f"because no identity-based policy allows the {ACTION} action"),
        ({"identity": [DENIED]}, "with an explicit deny in an identity-based policy"),
        (
            {"resource": policy(deny(Principal="*"))},
            "with an explicit deny in a resource-based policy",
        ),
        (
            {"identity": [ALLOWED], "boundary": NOTHING},
            f"because no permissions boundary allows the {ACTION} action",
        ),
        (
            {"identity": [ALLOWED], "session": [NOTHING]},
            f"because no session policy allows the {ACTION} action",
        ),
    ],
)
def test_a_refusal_names_the_kind_of_policy(policies, text):
    request = Request(ACTION, FUNCTION, SESSION, ACCOUNT)
    assert denial(request, evaluate(request, Policies(**policies))) == (
        f"User: {SESSION_ARN} is not authorized to perform: {ACTION} on resource: {FUNCTION} {text}"
    )


def test_policies_say_which_keys_they_look_at():
    looking = policy(
        allow(
            resource="arn:aws:s3:::${aws:username}",
            Condition={"StringEquals": {"aws:RequestTag/Team": "${aws:PrincipalTag/Team}"}},
        )
    )
    assert Policies(identity=[looking]).context_keys() == {
        "aws:username",
        "aws:requesttag/team",
        "aws:principaltag/team",
    }


def test_a_pattern_full_of_wildcards_is_decided_at_once():
    hostile = policy(allow(resource="arn:aws:s3:::" + "*a" * 2000 + "b"))
    assert not decide(CARLOS, on="arn:aws:s3:::" + "a" * 10_000, identity=[hostile]).allowed


@pytest.mark.parametrize(
    "text",
    [
        "${a" + " " * 100_000,
        "${a" * 30_000,
        "${a, '" + "b" * 100_000,
        "${a,'" * 30_000,
        "${a}" * 30_000,
        "*a" * 50_000,
        "?*" * 50_000,
    ],
)
def test_no_text_of_a_pattern_takes_for_ever_to_read(text):
    # Where anything is tried twice, the first of these takes days.
    compile_policy({"Version": "2012-10-17", "Statement": allow(resource=f"arn:aws:s3:::{text}")})


def test_documents_are_read_as_they_are_stored():
    text = json.dumps({"Version": "2012-10-17", "Statement": allow(Principal={"AWS": ACCOUNT})})
    assert compile_policy(json.loads(text)).allows[0].place == 0

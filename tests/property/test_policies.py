"""The evaluator against one that is slow, short and plainly right."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from alonzo.lib.policies import principals
from alonzo.lib.policies.compiled import PolicyError, Request, compile_policy
from alonzo.lib.policies.evaluation import Policies, evaluate
from alonzo.lib.policies.grammar import read_identity, read_resource_based, read_trust
from alonzo.lib.policies.patterns import matcher, split

A, B = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{A}:role/r"
USER = f"arn:aws:iam::{A}:user/u"
SESSION = f"arn:aws:sts::{A}:assumed-role/r/s"
CALLERS = {
    "user": principals.user(USER, A, "AIDA"),
    "session": principals.role_session(SESSION, A, role_arn=ROLE, role_id="AROA", session_name="s"),
    "root": principals.root_user(A),
    "service": principals.service("s3.amazonaws.com"),
    "anonymous": principals.anonymous(),
}
#: By which names a policy may know them: alone, by role, by account.
NAMES = {
    "user": ({USER}, set(), A),
    "session": ({SESSION}, {ROLE}, A),
    "root": ({f"arn:aws:iam::{A}:root"}, set(), A),
    "service": ({"s3.amazonaws.com"}, set(), None),
    "anonymous": (set(), set(), None),
}
ACTIONS = ["s3:get", "s3:put", "sqs:get"]
PATTERNS = ["*", "s3:*", "S3:G*", "s3:?ut", "sqs:get", "s3:*t"]
RESOURCES = ["arn:aws:s3:::a", "arn:aws:s3:::a/b", "arn:aws:sqs:r:1:q"]
RESOURCE_PATTERNS = ["*", "arn:aws:s3:::*", "arn:aws:s3:::a/?", "arn:aws:sqs:*:*:q", "arn:aws:s3"]
CONDITIONS = [
    {},
    {"StringEquals": {"k": ["x", "y"]}},
    {"StringNotEquals": {"k": "x"}},
    {"StringLikeIfExists": {"k": "x*"}},
    {"ForAnyValue:StringEquals": {"m": "x"}},
    {"ForAllValues:StringNotEquals": {"m": ["x"]}},
    {"Null": {"k": "true"}},
    {"StringEquals": {"k": "x"}, "Null": {"m": "false"}},
]


def one_or_more(values):
    return st.one_of(st.sampled_from(values), st.lists(st.sampled_from(values), min_size=1))


def either(name, values):
    return st.tuples(st.sampled_from([name, f"Not{name}"]), one_or_more(values))


PRINCIPALS = st.one_of(
    st.just("*"),
    st.fixed_dictionaries(
        {"AWS": one_or_more([USER, ROLE, SESSION, A, B, f"arn:aws:iam::{A}:root"])},
        optional={"Service": one_or_more(["s3.amazonaws.com", "sns.amazonaws.com"])},
    ),
)
STATEMENTS = st.builds(
    lambda effect, action, resource, condition: {
        "Effect": effect,
        action[0]: action[1],
        resource[0]: resource[1],
        "Condition": condition,
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    either("Action", PATTERNS),
    either("Resource", RESOURCE_PATTERNS),
    st.sampled_from(CONDITIONS),
)
DOCUMENTS = st.lists(STATEMENTS, max_size=3)
RESOURCE_DOCUMENTS = st.lists(
    st.builds(
        lambda statement, negated, who: {
            **statement,
            "NotPrincipal" if negated and statement["Effect"] == "Deny" else "Principal": who,
        },
        STATEMENTS,
        st.booleans(),
        PRINCIPALS,
    ),
    max_size=3,
)
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "k": st.sampled_from(["x", "y", "z", "xx"]),
        "m": st.sampled_from([(), ("x",), ("y",), ("x", "y")]),
    },
)


def listed(value):
    return value if isinstance(value, list) else [value]


def like(pattern, text):
    """Wildcards by trying everything."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(like(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and like(pattern[1:], text[1:])


def arn_like(pattern, arn):
    parts = (pattern.split(":", 5) + ["*"] * 6)[:6]
    return pattern == "*" or all(map(like, parts, arn.split(":", 5)))


def compare(operator, wanted, given):
    hits = [any(like(w, g) if "Like" in operator else w == g for w in wanted) for g in given]
    if "Not" in operator:
        hits = [not hit for hit in hits]
    return hits


def condition_holds(condition, context):
    for operator, demands in condition.items():
        for key, value in demands.items():
            wanted, given = listed(value), listed(context.get(key, []))
            given = [each for one in given for each in (one if isinstance(one, tuple) else [one])]
            if operator == "Null":
                if (not given) != (wanted[0] == "true"):
                    return False
                continue
            hits = compare(operator, wanted, given)
            if operator.startswith("ForAnyValue"):
                held = any(hits)
            elif operator.startswith("ForAllValues"):
                held = all(hits)
            elif not given:
                held = "Not" in operator or "IfExists" in operator
            else:
                held = all(hits) if "Not" in operator else any(hits)
            if not held:
                return False
    return True


def fits(statement, action, resource, context):
    if "Action" in statement:
        acts = any(like(p.lower(), action) for p in listed(statement["Action"]))
    else:
        acts = not any(like(p.lower(), action) for p in listed(statement["NotAction"]))
    if "Resource" in statement:
        on = any(arn_like(p, resource) for p in listed(statement["Resource"]))
    else:
        on = not any(arn_like(p, resource) for p in listed(statement["NotResource"]))
    return acts and on and condition_holds(statement["Condition"], context)


def named(element, who):
    """Which of direct, role and account a principal element names."""
    direct, role, account = NAMES[who]
    if element == "*":
        return {"direct", "role", "account"}
    names = {f"arn:aws:iam::{n}:root" if n.isdigit() else n for n in listed(element["AWS"])}
    services = set(listed(element.get("Service", [])))
    found = set()
    if direct & (services if who == "service" else names):
        found.add("direct")
    if role & names:
        found.add("role")
    if account and f"arn:aws:iam::{account}:root" in names:
        found.add("account")
    return found


def has_names(who):
    direct, role, account = NAMES[who]
    kinds = (("direct", direct), ("role", role), ("account", account))
    return {kind for kind, there in kinds if there}


def brute_force(who, account, action, resource, context, documents):
    def some(name, effect):
        return [
            statement
            for document in documents[name] or []
            for statement in document
            if statement["Effect"] == effect and fits(statement, action, resource, context)
        ]

    for name in ("identity", "boundary", "session"):
        if some(name, "Deny"):
            return False
    for statement in some("resource", "Deny"):
        if "Principal" in statement:
            if named(statement["Principal"], who):
                return False
        elif documents["boundary"] is not None:
            return False
        elif statement["NotPrincipal"] != "*":
            spared = named(statement["NotPrincipal"], who)
            if not has_names(who) or has_names(who) - spared:
                return False
    home = NAMES[who][2]
    if who == "root" and home == account:
        return True
    grants = [named(s["Principal"], who) for s in some("resource", "Allow")]
    if home is None:
        return any(grants)
    if home == account and any("direct" in grant for grant in grants):
        return True
    by_role = home == account and any("role" in grant for grant in grants)
    own = bool(some("identity", "Allow")) or by_role
    for name in ("boundary", "session"):
        own = own and (documents[name] is None or bool(some(name, "Allow")))
    own = own or who == "root"
    return own and (home == account or any(grants))


@given(
    who=st.sampled_from(sorted(CALLERS)),
    account=st.sampled_from([A, B]),
    action=st.sampled_from(ACTIONS),
    resource=st.sampled_from(RESOURCES),
    context=CONTEXTS,
    identity=st.lists(DOCUMENTS, max_size=2),
    boundary=st.none() | DOCUMENTS,
    session=st.none() | st.lists(DOCUMENTS, max_size=2),
    of_resource=st.none() | RESOURCE_DOCUMENTS,
)
def test_the_evaluator_agrees_with_brute_force(
    who, account, action, resource, context, identity, boundary, session, of_resource
):
    def ready(statements):
        return compile_policy({"Version": "2012-10-17", "Statement": statements})

    decision = evaluate(
        Request(action, resource, CALLERS[who], account, context),
        Policies(
            identity=[ready(each) for each in identity],
            boundary=None if boundary is None else ready(boundary),
            session=None if session is None else [ready(each) for each in session],
            resource=None if of_resource is None else ready(of_resource),
        ),
    )
    documents = {
        "identity": identity,
        "boundary": None if boundary is None else [boundary],
        "session": session,
        "resource": [of_resource or []],
    }
    expected = brute_force(who, account, action, resource, context, documents)
    assert decision.allowed is expected
    assert (decision.type is None) is expected


TEXTS = st.text("ab*?", max_size=8)


@given(pattern=TEXTS, text=st.text("ab", max_size=8))
@example(pattern="*a*a", text="aa")
@example(pattern="**", text="")
def test_wildcards_agree_with_brute_force(pattern, text):
    match = matcher(split(pattern, variables=True, wildcards=True))
    assert match(text, {}) is like(pattern, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Statement",
                    "Effect",
                    "Action",
                    "Resource",
                    "Principal",
                    "Condition",
                    "AWS",
                    "Null",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.one_of(st.text(max_size=40), JSON.map(json.dumps)))
def test_any_text_is_a_policy_or_is_refused(text):
    for read in (read_identity, read_trust, read_resource_based):
        try:
            read(text)
        except PolicyError:
            continue

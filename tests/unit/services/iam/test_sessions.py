"""Tokens of sessions hold all that was settled when they were issued."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alonzo.lib.ids import SystemIds
from alonzo.model.callers import caller_of, principal_context
from alonzo.model.context import Principal, Session
from alonzo.model.ports.identity import AccessKey
from alonzo.services.iam.key_ids import access_key_id, account_of_key
from alonzo.services.iam.sessions import TOKEN_CHARS_MAX, NotOurTokenError, TokenSealer

ACCOUNT = "123456789012"
SESSION = Session(
    "name",
    1_800_000_000.0,
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/path/r",
    policies=('{"Version":"2012-10-17"}',),
    policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    tags=(("Team", "blue"),),
    transitive=("Team",),
    source_identity="someone",
)
PRINCIPAL = Principal(
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/r/name",
    user_id="AROAX:name",
    access_key_id="ASIAX",
    identity_id="AROAX",
    session=SESSION,
)


def sealer():
    return TokenSealer(AESGCM(b"s" * 32), SystemIds())


def test_a_token_says_all_that_the_key_says():
    sealed = sealer().seal(AccessKey("ASIAX", "secret", PRINCIPAL, expires_at_s=1.0))
    assert sealer().open(sealed.session_token) == sealed
    assert sealed.principal == PRINCIPAL


def test_another_secret_opens_nothing():
    sealed = sealer().seal(AccessKey("ASIAX", "secret", PRINCIPAL, expires_at_s=1.0))
    with pytest.raises(NotOurTokenError):
        TokenSealer(AESGCM(b"t" * 32), SystemIds()).open(sealed.session_token)


def test_the_longest_session_policy_fits():
    text = "".join(chr(33 + (n * n * 7919) % 93) for n in range(2048))
    longest = Session("n" * 64, 1.0, role_arn="r" * 2048, policies=(text,))
    principal = Principal(ACCOUNT, "a", "u", "ASIAX", session=longest)
    sealed = sealer().seal(AccessKey("ASIAX", "secret", principal, expires_at_s=1.0))
    assert len(sealed.session_token) < TOKEN_CHARS_MAX


def test_what_policies_are_told_of_a_session():
    caller = caller_of(PRINCIPAL)
    assert caller.role == {f"arn:aws:iam::{ACCOUNT}:role/path/r", "AROAX"}
    assert caller.direct == {PRINCIPAL.arn, "AROAX:name"}
    context = principal_context(PRINCIPAL, {"cost": "1", "Team": "of the role"})
    assert context["aws:principalarn"] == f"arn:aws:iam::{ACCOUNT}:role/path/r"
    # A tag of the session takes the place of the role's.
    assert context["aws:principaltag/team"] == "blue"
    assert context["aws:principaltag/cost"] == "1"
    assert context["aws:sourceidentity"] == "someone"
    assert "aws:username" not in context


@pytest.mark.parametrize("account", ["000000000000", ACCOUNT, "999999999999"])
def test_a_key_id_holds_its_account(account):
    key_id = access_key_id("AKIA", SystemIds(), account)
    assert len(key_id) == 20
    assert account_of_key(key_id) == account


@pytest.mark.parametrize("text", ["", "AKIA", "AKIA1", "AKIAé", "nonsense-nonsense", "A" * 19])
def test_what_is_no_key_id_holds_none(text):
    assert account_of_key(text) is None

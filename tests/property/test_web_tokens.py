"""No token passes that its issuer has not signed, whatever is done to it."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.model.errors import AwsError
from alonzo.services.iam.web_tokens import (
    UnknownKeyError,
    check_claims,
    read_key_set,
    read_token,
    verify,
)
from alonzo.testing.issuers import Issuer, encoded

ISSUER = Issuer()
KEYS = read_key_set(ISSUER.key_set) or []
NOW_S = 1_800_000_000
CLAIMS: dict[str, Any] = {"iss": ISSUER.url, "sub": "s", "aud": "c", "exp": NOW_S + 1}
TOKENS = {algorithm: ISSUER.token(CLAIMS, algorithm=algorithm) for algorithm in ("RS256", "ES256")}
REFUSALS = {
    "InvalidIdentityTokenException",
    "ExpiredTokenException",
    "IDPRejectedClaimException",
}


def passes(text: str) -> bool:
    """Whether the token is taken. Other errors than those of tokens are the test's failure."""
    try:
        token = read_token(text)
        verify(token, KEYS)
        check_claims(token, ["c"], NOW_S)
    except UnknownKeyError:
        return False
    except AwsError as error:
        if error.code not in REFUSALS:
            raise
        return False
    return True


@pytest.mark.parametrize("algorithm", TOKENS)
def test_a_signed_token_passes(algorithm: str) -> None:
    assert passes(TOKENS[algorithm])


@given(algorithm=st.sampled_from(sorted(TOKENS)), at=st.integers(0), mask=st.integers(1, 255))
def test_a_token_with_one_byte_changed_does_not(algorithm: str, at: int, mask: int) -> None:
    parts = [bytearray(_raw(part)) for part in TOKENS[algorithm].split(".")]
    whole = [(index, place) for index, part in enumerate(parts) for place in range(len(part))]
    index, place = whole[at % len(whole)]
    parts[index][place] ^= mask
    assert not passes(".".join(encoded(bytes(part)) for part in parts))


@given(
    st.text(max_size=200) | st.lists(st.binary(max_size=60).map(encoded), max_size=4).map(".".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    assert not passes(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["aud", "sub", "exp", "nbf", "iat", "azp"]), json_values))
def test_any_claims_are_taken_or_refused(changes: dict[str, Any]) -> None:
    passes(ISSUER.token({**CLAIMS, **changes}, algorithm="ES256"))


@given(
    st.dictionaries(st.sampled_from(["kty", "n", "e", "x", "y", "crv", "use", "alg"]), json_values)
)
def test_any_key_is_used_or_left(changes: dict[str, Any]) -> None:
    for key, text in zip(KEYS, TOKENS.values(), strict=True):
        try:
            verify(read_token(text), [{**key, **changes}])
        except UnknownKeyError:
            pass
        except AwsError as error:
            if error.code not in REFUSALS:
                raise


def test_keys_of_another_kind_do_not_verify() -> None:
    """A public key is no secret: who signs with it as one has signed nothing."""
    public = json.dumps(KEYS[0]).encode()
    claims = encoded(json.dumps(CLAIMS).encode())
    for algorithm in ("HS256", "none", "PS256", "rs256"):
        head = encoded(json.dumps({"alg": algorithm, "kid": "r"}).encode())
        signature = hmac.digest(public, f"{head}.{claims}".encode(), "sha256")
        assert not passes(f"{head}.{claims}.{encoded(signature)}")
        assert not passes(f"{head}.{claims}.")
    crossed = ISSUER.token(CLAIMS, algorithm="RS256", kid="e")
    assert not passes(crossed)


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, True),
        ({"aud": ["x", "c"]}, True),
        ({"aud": "x", "azp": "c"}, True),
        ({"aud": "c", "azp": "x"}, False),
        ({"aud": []}, False),
        ({"aud": ["c", 1]}, False),
        ({"exp": NOW_S}, False),
        ({"exp": 10**400}, False),
        ({"exp": True}, False),
        ({"sub": ""}, False),
        ({"sub": "s" * 256}, False),
        ({"nbf": NOW_S + 200}, True),
        ({"nbf": NOW_S + 400}, False),
    ],
)
def test_claims_decide_as_documented(changes: dict[str, Any], taken: bool) -> None:
    assert passes(ISSUER.token({**CLAIMS, **changes}, algorithm="ES256")) is taken


def test_a_key_without_a_name_serves_where_it_is_the_only_one_of_its_kind() -> None:
    token = read_token(ISSUER.token(CLAIMS, kid=None))
    verify(token, KEYS)
    with pytest.raises(UnknownKeyError):
        verify(token, [KEYS[0], {**KEYS[0], "kid": "other"}])


def _raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

"""Environment variables in the control plane: what is decided without a store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from alonzo.control.environment import Variables, check_basis
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import Sealed

KEY = FunctionKey("000000000000", "us-east-1", "f")
ROOT = Principal(KEY.account, f"arn:aws:iam::{KEY.account}:root", KEY.account, "", is_root=True)
CONTEXT = RequestContext("r", KEY.account, KEY.region, ROOT, "", "")
PLAIN = {"Variables": {"AB": "1", "CD": "2"}}


class Keys:
    """Seals by turning round, and never twice alike; notes what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def seal(
        self,
        context: RequestContext,
        key_id: str,
        plaintext: bytes,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        action: str = "GenerateDataKey",
    ) -> Sealed:
        self.asked.append(f"seal {key_id}")
        return Sealed(f"arn of {key_id}", bytes([len(self.asked)]) + plaintext[::-1])

    async def open(
        self,
        context: RequestContext,
        sealed: bytes,
        encryption_context: Mapping[str, str],
        *,
        service: str,
    ) -> bytes:
        self.asked.append("open")
        return sealed[:0:-1]

    async def let_decrypt(
        self,
        context: RequestContext,
        key_id: str,
        grantee: str,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        name: str,
    ) -> None:
        self.asked.append(f"let {grantee} {key_id}")

    async def end_leave(self, account: str, region: str, prefix: str) -> None:
        self.asked.append("end")


def plan(keys: Keys, current: Any, planned: Any) -> Any:
    return asyncio.run(Variables(keys, b"s").plan(CONTEXT, KEY, current, planned))


def test_only_what_changes_needs_a_key() -> None:
    keys = Keys()
    first = plan(keys, {}, {"Role": "r", "Environment": PLAIN})
    kept = {"Role": "r", "Environment": first}
    assert plan(keys, kept, kept) == first
    assert plan(keys, kept, {**kept, "Role": "other"}) == first
    assert plan(keys, {"Role": "r"}, {"Role": "r"}) is None
    assert keys.asked == ["seal alias/aws/lambda"]


def test_another_key_opens_and_seals_and_another_role_is_let_in() -> None:
    keys = Keys()
    first = plan(keys, {}, {"Role": "r", "Environment": PLAIN})
    current = {"Role": "r", "Environment": first}
    keyed = {**current, "KMSKeyArn": "k"}
    second = plan(keys, current, keyed)
    assert keys.asked[1:] == ["let r k", "open", "seal k"]
    assert second["Sealed"] != first["Sealed"]
    assert second["Digest"] == first["Digest"], "the same variables"
    held = {**keyed, "Environment": second}
    del keys.asked[:]
    assert plan(keys, held, {**held, "Role": "other"}) == second
    assert keys.asked == ["let other k"]


def test_equal_variables_are_known_without_opening_them_and_others_are_not() -> None:
    keys = Keys()
    turned = {"Variables": dict(reversed(PLAIN["Variables"].items()))}
    one, two = (plan(keys, {}, {"Role": "r", "Environment": each}) for each in (PLAIN, turned))
    other = plan(keys, {}, {"Role": "r", "Environment": {"Variables": {"AB": "1"}}})
    assert one["Digest"] == two["Digest"] != other["Digest"]
    assert plan(keys, {}, {"Role": "r", "Environment": {"Variables": {}}}) == {"Variables": {}}


@pytest.mark.parametrize("member", ["Environment", "KMSKeyArn", "Role"])
def test_variables_do_not_go_into_a_configuration_that_changed_meanwhile(member: str) -> None:
    before = {"Environment": {"Sealed": "a"}, "KMSKeyArn": "k", "Role": "r", "Timeout": 3}
    check_basis(before, {**before, "Timeout": 4})
    with pytest.raises(AwsError) as caught:
        check_basis(before, {**before, member: "other"})
    assert caught.value.code == "ResourceConflictException"

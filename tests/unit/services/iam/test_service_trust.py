"""Whom a role lets in, where there is nothing to ask its trust policy for."""

import asyncio
from types import SimpleNamespace

import pytest

from alonzo.services.iam.service_trust import ServiceTrust

ROLE = "arn:aws:iam::123456789012:role/r"


@pytest.mark.parametrize(
    ("mode", "account", "lets_in"),
    [
        ("strict", "123456789012", False),
        ("soft", "123456789012", True),
        # Accounts stay apart even then.
        ("soft", "111122223333", False),
    ],
)
def test_a_role_that_is_not_there_lets_nobody_in_but_in_soft_mode(mode, account, lets_in):
    trust = ServiceTrust(SimpleNamespace(unique_id=lambda arn: None), mode)
    asked = trust.lets_in(ROLE, "scheduler.amazonaws.com", account=account, source_arn="a")
    assert asyncio.run(asked) is lets_in

"""Environment variables are opened where an environment starts, as the function's role."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from alonzo.environments.sealed_variables import SealedVariables
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.deliveries import RoleUse
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.testing.environments import VERSION

SEALED = replace(VERSION, sealed_environment=base64.b64encode(b"sealed").decode())


class Roles:
    """Says which role asks."""

    def context(self, use: RoleUse) -> RequestContext:
        principal = Principal(use.sender.account, use.role_arn, "", "")
        return RequestContext("r", use.sender.account, use.region, principal, "", "")


class Keys:
    """Opens ``b"sealed"``, or fails with ``error``."""

    def __init__(self, error: AwsError | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, Mapping[str, str], str]] = []

    async def open(
        self,
        context: RequestContext,
        sealed: bytes,
        encryption_context: Mapping[str, str],
        *,
        service: str,
    ) -> bytes:
        assert sealed == b"sealed"
        self.asked.append((context.principal.arn, encryption_context, service))
        if self.error is not None:
            raise self.error
        return json.dumps({"AB": "1"}).encode()

    async def seal(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nothing is sealed here")


def connected(keys: Keys) -> SealedVariables:
    variables = SealedVariables(SystemIds())
    variables.connect(keys, Roles())
    return variables


def opened(keys: Keys, version: ServingVersion = SEALED) -> ServingVersion:
    return asyncio.run(connected(keys).open(version))


def test_they_are_opened_with_the_functions_arn_as_its_role() -> None:
    keys = Keys()
    assert opened(keys).environment == {"AB": "1"}
    assert keys.asked == [(VERSION.role, {"aws:lambda:FunctionArn": VERSION.key.arn}, "lambda")]


def test_what_a_customers_key_opens_is_not_remembered() -> None:
    async def main() -> None:
        for version, times in ((SEALED, 1), (replace(SEALED, kms_key="arn"), 3)):
            keys = Keys()
            variables = connected(keys)
            for _ in range(3):
                assert (await variables.open(version)).environment == {"AB": "1"}
            assert len(keys.asked) == times

    asyncio.run(main())


def test_what_an_earlier_release_kept_in_plain_needs_no_key() -> None:
    keys, old = Keys(), replace(VERSION, environment={"AB": "2"})
    assert opened(keys, old) is old
    assert keys.asked == []


def test_no_text_about_a_version_shows_its_variables() -> None:
    assert "secret-1" not in repr(replace(VERSION, environment={"AB": "secret-1"}))


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("AccessDeniedException", "KMSAccessDeniedException"),
        ("DisabledException", "KMSDisabledException"),
        ("KMSInvalidStateException", "KMSInvalidStateException"),
        ("NotFoundException", "KMSNotFoundException"),
        ("InvalidCiphertextException", "KMSAccessDeniedException"),
    ],
)
def test_what_kms_refuses_is_told_in_lambdas_words(code: str, named: str) -> None:
    with pytest.raises(AwsError) as caught:
        opened(Keys(AwsError(code, "why")))
    assert caught.value.code == named
    assert caught.value.message.startswith("Lambda was unable to decrypt the environment variables")
    assert caught.value.message.endswith(f"KMS Exception: {code}KMS Message: why")

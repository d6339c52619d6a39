"""STS: what is offered, and who the caller is."""

import asyncio

import botocore.session
import pytest

from alonzo.model.context import Principal, RequestContext, Session
from alonzo.services.iam.keys import assumed_role
from alonzo.services.sts.api import UNSUPPORTED, operations

ACCOUNT = "123456789012"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIAIOSFODNN7EXAMPLE", True)
SESSION = assumed_role(
    Session("f", 0.0, role_arn=f"arn:aws:iam::{ACCOUNT}:role/worker"), "ASIAIOSFODNN7EXAMPLE"
)


class Nobody:
    """Issues nothing: what is tested here asks for nothing."""

    async def assume_role(self, context, request):
        raise NotImplementedError

    async def session_of_caller(self, context, duration_s):
        raise NotImplementedError

    async def assume_role_with_web_identity(self, context, request, token_text):
        raise NotImplementedError

    def account_of_key(self, access_key_id):
        return None


def test_every_operation_of_the_model_is_offered_or_listed() -> None:
    model = botocore.session.get_session().get_service_model("sts")
    assert sorted([*operations(Nobody(), Nobody()), *UNSUPPORTED]) == sorted(model.operation_names)


@pytest.mark.parametrize("principal", [ROOT, SESSION])
def test_the_caller_is_told_who_it_is(principal: Principal) -> None:
    context = RequestContext(
        request_id="r",
        account=ACCOUNT,
        region="eu-west-1",
        principal=principal,
        endpoint="http://127.0.0.1:4566",
        source_ip="127.0.0.1",
    )
    answer = asyncio.run(operations(Nobody(), Nobody())["GetCallerIdentity"](context, {}))
    assert answer == {
        "UserId": principal.user_id,
        "Account": ACCOUNT,
        "Arn": principal.arn,
    }

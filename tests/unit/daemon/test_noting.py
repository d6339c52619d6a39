"""Calls of the platform's own are told to the audit log."""

import asyncio

import pytest

from alonzo.daemon.noting import noted
from alonzo.model.context import Principal, RequestContext
from alonzo.model.deliveries import ServiceCall
from alonzo.model.errors import AwsError

SNS = Principal("000000000000", "sns.amazonaws.com", "sns.amazonaws.com", "k", service="sns")
CONTEXT = RequestContext("r", "000000000000", "us-east-1", SNS, "", "sns.amazonaws.com")
CALL = ServiceCall("sqs", "CreateQueue", {"QueueName": "q"})


class Told:
    def __init__(self, wanted=True):
        self.wanted = wanted
        self.events = []

    def wants(self, service, operation):
        return self.wanted

    def note_nowait(self, event):
        self.events.append(event)


async def answers():
    return {"QueueUrl": "u"}


async def refuses():
    raise AwsError("AccessDenied", "no")


def test_what_came_of_a_call_is_told():
    told = Told()
    assert asyncio.run(noted(told, CONTEXT, CALL, answers)) == {"QueueUrl": "u"}
    with pytest.raises(AwsError):
        asyncio.run(noted(told, CONTEXT, CALL, refuses, invoked_by="lambda.amazonaws.com"))
    done, refused = told.events
    assert (done.operation, done.result, done.error) == ("CreateQueue", {"QueueUrl": "u"}, None)
    assert (refused.source_ip, refused.error) == ("lambda.amazonaws.com", ("AccessDenied", "no"))


@pytest.mark.parametrize("audit", [None, Told(wanted=False)])
def test_a_log_that_does_not_want_it_is_not_told(audit):
    assert asyncio.run(noted(audit, CONTEXT, CALL, answers)) == {"QueueUrl": "u"}
    assert audit is None or audit.events == []

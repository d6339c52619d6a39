"""Groups of services are opened when they are needed: once, again after a failure, and closed."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from alonzo.daemon import messaging_services
from alonzo.daemon.secret_services import SecretServices
from alonzo.daemon.services import GROUPS, Services
from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest
from alonzo.services.cloudwatch.metering import Metering
from alonzo.services.logs.sink import LogWriter
from alonzo.store.data_dir import DataDir
from alonzo.store.sqlite import SqliteStore

ACCOUNT = "000000000000"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
CONTEXT = RequestContext("r", ACCOUNT, "us-east-1", ROOT, "http://localhost", "127.0.0.1")


class Anybody:
    """Roles and an authorizer that let everybody in, and nothing to call."""

    trust = None

    def offers(self, service):
        return True

    def is_offered(self, service, action):
        return True

    async def authorize(self, context, service, operation, params):
        return None


@contextlib.asynccontextmanager
async def services(path):
    """Services over the data in a folder, and their operations."""
    clock, data = ManualClock(), DataDir.open(path)
    store = await SqliteStore.open(data.db_path, clock=clock)
    logs = LogWriter(store, clock=clock)
    async with TaskScope() as scope:
        made = Services(
            data,
            store,
            None,
            Anybody(),
            scope,
            logs=logs,
            metering=Metering(store, clock, logs),
            own_url=str,
            clock=clock,
            ids=SystemIds(),
        )
        made.connect(Anybody())
        yield made, made.operations({})
        made.close()
    await logs.close()
    await store.close()
    data.close()


def opened(made):
    names = ("secrets", "messaging", "scheduling", "storage", "events", "watching")
    assert set(names) == set(GROUPS.values())
    return [name for name in names if getattr(made, name).value is not None]


@pytest.fixture
def broken(monkeypatch):
    """Has queues and topics fail to open as often as ``broken.times`` says; counts every try."""
    state = SimpleNamespace(times=0, tries=0, closed=0)
    cls = messaging_services.MessagingServices
    really_open, really_close = cls.open, cls.close

    async def open_(self):
        state.tries += 1
        if state.times:
            state.times -= 1
            raise OSError("the disk is on fire")
        await really_open(self)

    def close(self):
        state.closed += 1
        really_close(self)

    monkeypatch.setattr(cls, "open", open_)
    monkeypatch.setattr(cls, "close", close)
    return state


def test_the_first_call_opens_its_own_group_and_many_at_once_open_it_once(tmp_path, broken):
    async def test():
        async with services(tmp_path) as (made, operations):
            await made.open_stored()
            assert opened(made) == []
            calls = [operations["sqs"]["ListQueues"](CONTEXT, {}) for _ in range(8)]
            await asyncio.gather(*calls, operations["sns"]["ListTopics"](CONTEXT, {}))
            assert opened(made) == ["messaging"]
        assert (broken.tries, broken.closed) == (1, 1)

    asyncio.run(test())


def test_rules_of_access_open_the_group_and_names_of_operations_do_not(tmp_path):
    async def test():
        async with services(tmp_path) as (made, operations):
            assert "PutRule" in operations["events"]
            assert "PutRules" not in operations["events"]
            assert {"CreateKey", "Encrypt"} <= set(operations["kms"])
            assert opened(made) == []
            rules = await made.access("events")
            assert set(rules) <= set(operations["events"])
            assert opened(made) == ["events"]

    asyncio.run(test())


def test_as_long_as_s3_and_kms_are_closed_there_are_no_buckets_and_no_keys(tmp_path):
    async def test():
        async with services(tmp_path) as (made, operations):
            assert not made.buckets.exists_nowait("b")
            assert made.buckets.preflight_nowait("b", "https://a", "GET", ()) is None
            assert made.buckets.cross_origin_nowait("b", "https://a", "GET") == {}
            before = made.encryption.generation
            await made.encryption.end_leave(ACCOUNT, "us-east-1", "f")
            assert opened(made) == []
            await operations["s3"]["CreateBucket"](CONTEXT, {"Bucket": "bbb"})
            await operations["kms"]["CreateKey"](CONTEXT, {})
            assert made.buckets.exists_nowait("bbb")
            assert made.encryption.generation > before
            assert {"s3", "kms"} <= made.policies.keys()

    asyncio.run(test())


def test_a_group_that_does_not_open_says_so_and_is_tried_again(tmp_path, broken):
    broken.times = 3

    async def test():
        async with services(tmp_path) as (made, operations):
            link = HttpRequest("GET", b"/_alonzo/sns", b"", (), b"", "")
            for call in (
                operations["sqs"]["ListQueues"](CONTEXT, {}),
                made.access("sns"),
                made.topic_routes()[0].handler(link),
            ):
                with pytest.raises(AwsError, match="could not start") as caught:
                    await call
                assert (caught.value.code, caught.value.status) == ("ServiceUnavailable", 503)
                assert "fire" not in str(caught.value)
            assert opened(made) == []
            assert await operations["sqs"]["ListQueues"](CONTEXT, {}) is not None
        assert (broken.tries, broken.closed) == (4, 4)

    asyncio.run(test())


def test_what_has_something_stored_opens_at_the_start_or_stops_it(tmp_path, broken):
    async def test():
        async with services(tmp_path) as (_, operations):
            await operations["sqs"]["CreateQueue"](CONTEXT, {"QueueName": "q"})
        async with services(tmp_path) as (made, _):
            await made.open_stored()
            assert opened(made) == ["messaging"]
        broken.times = 1
        async with services(tmp_path) as (made, _):
            with pytest.raises(OSError, match="fire"):
                await made.open_stored()

    asyncio.run(test())


def test_nothing_works_before_all_that_is_stored_is_open(tmp_path, broken, monkeypatch):
    began, work = [], SecretServices.work

    def counted(self):
        began.append(broken.tries)
        return work(self)

    monkeypatch.setattr(SecretServices, "work", counted)

    async def test():
        async with services(tmp_path) as (made, operations):
            await made.open_stored()
            await operations["kms"]["CreateKey"](CONTEXT, {})
            await operations["sqs"]["CreateQueue"](CONTEXT, {"QueueName": "q"})
        assert began == [0]
        broken.times = 1
        async with services(tmp_path) as (made, _):
            with pytest.raises(OSError, match="fire"):
                await made.open_stored()
        assert began == [0]
        async with services(tmp_path) as (made, _):
            await made.open_stored()
        assert began == [0, 3]

    asyncio.run(test())


def test_what_is_opened_while_the_platform_stops_is_told_and_closed(tmp_path, broken):
    async def test():
        async with services(tmp_path) as (made, operations):
            made.end_waits()
            url = await operations["sqs"]["CreateQueue"](CONTEXT, {"QueueName": "q"})
            wait = {"QueueUrl": url["QueueUrl"], "WaitTimeSeconds": 20}
            # The clock stands still: this would wait for ever.
            assert not (await operations["sqs"]["ReceiveMessage"](CONTEXT, wait)).get("Messages")
            made.close()
            with pytest.raises(AwsError, match="stops"):
                await made.access("kms")
        assert "secrets" not in opened(made)

    asyncio.run(test())

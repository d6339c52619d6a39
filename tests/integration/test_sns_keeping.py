"""What is deleted of topics in pieces, and what goes by itself."""

import asyncio
from pathlib import Path

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.services.sns.api import Topics, operations
from alonzo.services.sns.keeper import Keeper
from alonzo.store.sqlite import SqliteStore

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "K", is_root=True)
CONTEXT = RequestContext("r", ACCOUNT, REGION, ROOT, "http://me", "127.0.0.1", "Root=1-1-1")


class Nobody:
    """Stands for queues, functions and keys: nothing is delivered here."""

    def offers(self, service):
        return service == "sqs"


class Service:
    def __init__(self, store, clock):
        self.store, self.clock = store, clock
        nobody = Nobody()
        self.topics = Topics(
            store, nobody, nobody, Path("no-key"), clock=clock, ids=SystemIds(), own_url=str
        )
        self._operations = operations(self.topics)

    async def call(self, name, **params):
        return await self._operations[name](CONTEXT, params)

    async def topic(self):
        return (await self.call("CreateTopic", Name="t"))["TopicArn"]

    async def subscribe(self, topic, name):
        answer = await self.call(
            "Subscribe",
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
            ReturnSubscriptionArn=True,
        )
        return answer["SubscriptionArn"]


def run(scenario, path):
    async def main():
        clock = ManualClock()
        store = await SqliteStore.open(path / "a.db", clock=clock)
        try:
            service = Service(store, clock)
            await service.topics.open()
            await scenario(service)
            service.topics.close()
        finally:
            await store.close()

    asyncio.run(main())


def test_a_large_backlog_goes_in_pieces_with_its_subscription_or_topic(tmp_path, monkeypatch):
    monkeypatch.setattr("alonzo.services.sns.records.DELETED_MAX", 2)
    monkeypatch.setattr("alonzo.services.sns.topics.DELETED_MAX", 2)

    async def count(service, table):
        sql = f"SELECT COUNT(*) AS n FROM {table}"
        return (await service.store.read(lambda db: db.one(sql)))["n"]

    async def work(service):
        topic = await service.topic()
        one, _ = [await service.subscribe(topic, each) for each in "ab"]
        await service.store.tx(lambda db: db.execute_many(_ADD_MESSAGE, _waiting(topic)))
        await service.store.tx(lambda db: db.execute_many(_ADD_DELIVERY, _waiting(one)))
        assert (await count(service, "sns_message"), await count(service, "sns_delivery")) == (5, 5)
        await service.call("Unsubscribe", SubscriptionArn=one)
        assert (await count(service, "sns_message"), await count(service, "sns_delivery")) == (0, 0)
        await service.store.tx(lambda db: db.execute_many(_ADD_MESSAGE, _waiting(topic)))
        await service.call("DeleteTopic", TopicArn=topic)
        assert (await count(service, "sns_message"), await count(service, "sns_delivery")) == (0, 0)

    run(work, tmp_path)


_ADD_MESSAGE = "INSERT INTO sns_message VALUES (:n, :id, :arn, x'00')"
_ADD_DELIVERY = "INSERT INTO sns_delivery VALUES (:arn, :n, :id, '', 0, 4e9)"


def _waiting(arn):
    return [{"n": n, "id": f"id-{n}", "arn": arn} for n in range(1, 6)]


def test_what_was_published_long_ago_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr("alonzo.services.sns.keeper._CHUNK", 2)
    count = "SELECT COUNT(*) AS n FROM sns_deduplication"

    async def work(service):
        directory = service.topics.directory
        topic = (
            await service.call("CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true"})
        )["TopicArn"]
        for number in range(5):
            more = {"MessageGroupId": "g", "MessageDeduplicationId": str(number)}
            await service.call("Publish", TopicArn=topic, Message="m", **more)
        await Keeper(directory).forget()
        assert (await service.store.read(lambda db: db.one(count)))["n"] == 5
        service.clock.advance(301)
        await Keeper(directory).forget()
        assert (await service.store.read(lambda db: db.one(count)))["n"] == 0

    run(work, tmp_path)

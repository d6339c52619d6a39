"""The durable way of messages to subscriptions, on a real store, with targets of the test's own."""

import asyncio
import base64
import contextlib
import json
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import Sealed
from alonzo.services.sns.api import Topics, operations
from alonzo.services.sns.keeper import Keeper
from alonzo.services.sns.posting import PostError
from alonzo.services.sns.signing import Signer
from alonzo.store.sqlite import SqliteStore

ACCOUNT, REGION = "123456789012", "eu-west-1"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"


class Targets:
    """Takes what is sent, or raises what ``failing`` has for it."""

    def __init__(self):
        self.sent, self.uses = [], []
        self.failing = {}
        self.changed = asyncio.Event()

    def offers(self, service):
        return service == "sqs"

    async def call(self, call, use):
        await self.take(call.params["QueueUrl"].rpartition("/")[2], call.params, use)

    async def invoke(self, function_arn, payload, use):
        await self.take("f", json.loads(payload), use)

    async def post(self, url, headers, body):
        await self.take(url, (headers, body), None)

    async def take(self, name, what, use):
        failing = self.failing.get(name)
        if failing is not None:
            await failing(what)
        self.sent.append((name, what))
        self.uses.append(use)
        self.changed.set()

    async def wait(self, count):
        async with asyncio.timeout(60):
            while len(self.sent) < count:
                self.changed.clear()
                await self.changed.wait()


class Backwards:
    """Encrypts, after a fashion."""

    async def seal(self, context, key_id, plaintext, encryption_context, *, service):
        assert (key_id, service) == ("k", "sns")
        return Sealed("k", json.dumps(encryption_context).encode() + b"|" + plaintext[::-1])

    async def open(self, context, sealed, encryption_context, *, service):
        bound, _, rest = sealed.partition(b"|")
        assert json.loads(bound) == encryption_context
        assert (context.account, context.region) == (ACCOUNT, REGION)
        return rest[::-1]


class Service:
    def __init__(self, topics, targets, store):
        self.topics, self.targets, self.store = topics, targets, store
        self._operations = operations(topics)

    async def call(self, name, account=ACCOUNT, **params):
        context = RequestContext(
            "r",
            account,
            REGION,
            Principal(account, f"arn:aws:iam::{account}:root", account, "K", is_root=True),
            "http://me",
            "127.0.0.1",
            "Root=1-5759e988-bd862e3fe1be46a994272793",
        )
        return await self._operations[name](context, params)

    async def topic(self, name="t", **attributes):
        answer = await self.call("CreateTopic", Name=name, Attributes=attributes)
        return answer["TopicArn"]

    async def subscribe(self, topic, endpoint, protocol="sqs", **attributes):
        answer = await self.call(
            "Subscribe",
            TopicArn=topic,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        return answer["SubscriptionArn"]

    async def left(self):
        """Rows that are still in the store, once nothing changes them any more."""
        return await self.store.read(
            lambda db: (
                len(db.all("SELECT 1 FROM sns_delivery")),
                len(db.all("SELECT 1 FROM sns_message")),
            )
        )

    async def until_empty(self):
        async with asyncio.timeout(60):
            while await self.left() != (0, 0):
                pass


@asynccontextmanager
async def running(path, *, works=True):
    clock, ids = SystemClock(), SystemIds()
    store = await SqliteStore.open(path / "a.db", clock=clock)
    try:
        targets = Targets()
        topics = Topics(
            store,
            targets,
            Backwards(),
            path / "topics.pem",
            clock=clock,
            ids=ids,
            own_url=lambda: "http://own",
            poster=targets,
        )
        await topics.open()
        tasks = [asyncio.create_task(work) for work in topics.work().values()] if works else []
        if not works:
            for work in topics.work().values():
                work.close()
        try:
            yield Service(topics, targets, store)
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            topics.close()
    finally:
        await store.close()


def run(work, path, **options):
    async def whole():
        async with running(path, **options) as service:
            return await work(service)

    return asyncio.run(whole())


def test_one_message_to_many_queues_is_stored_once_and_reaches_all(tmp_path):
    async def work(service):
        topic = await service.topic()
        for number in range(200):
            await service.subscribe(topic, f"{QUEUE}q{number}", RawMessageDelivery="true")
        await service.call("Publish", TopicArn=topic, Message="m")
        deliveries, messages = await service.left()
        assert deliveries <= 200
        assert messages <= 1
        await service.targets.wait(200)
        assert Counter(name for name, _ in service.targets.sent) == {
            f"q{number}": 1 for number in range(200)
        }
        await service.until_empty()

    run(work, tmp_path)


def test_what_was_published_before_the_end_is_delivered_after_the_next_start(tmp_path):
    async def publish(service):
        topic = await service.topic("t.fifo", FifoTopic="true", ContentBasedDeduplication="true")
        await service.subscribe(topic, f"{QUEUE}q.fifo", RawMessageDelivery="true")
        # More than memory holds of one subscription.
        for number in range(0, 600, 10):
            entries = [
                {"Id": str(n), "Message": f"{number + n}", "MessageGroupId": f"g{n % 3}"}
                for n in range(10)
            ]
            await service.call("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)

    async def receive(service):
        await service.targets.wait(600)
        by_group = {}
        for _, params in service.targets.sent:
            by_group.setdefault(params["MessageGroupId"], []).append(int(params["MessageBody"]))
        assert {len(group) for group in by_group.values()} == {180, 240}
        for group in by_group.values():
            assert group == sorted(group)
        await service.until_empty()

    run(publish, tmp_path, works=False)
    run(receive, tmp_path)


def test_what_is_encrypted_at_rest_is_opened_after_the_next_start(tmp_path):
    async def publish(service):
        attributes = {"FifoTopic": "true", "KmsMasterKeyId": "k"}
        topic = await service.topic("t.fifo", **attributes)
        await service.subscribe(topic, f"{QUEUE}q.fifo")
        params = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
        await service.call("Publish", TopicArn=topic, Message="in the clear", **params)

    async def receive(service):
        await service.targets.wait(1)
        body = json.loads(service.targets.sent[0][1]["MessageBody"])
        assert (body["Message"], len(body["SequenceNumber"])) == ("in the clear", 20)

    run(publish, tmp_path, works=False)
    assert all(b"in the clear" not in file.read_bytes() for file in tmp_path.glob("a.db*"))
    run(receive, tmp_path)


def test_what_kms_does_not_open_waits_and_is_told_of(tmp_path, monkeypatch, caplog):
    async def publish(service):
        topic = await service.topic(KmsMasterKeyId="k")
        await service.subscribe(topic, f"{QUEUE}q")
        await service.call("Publish", TopicArn=topic, Message="kept back")

    async def refused(*_, **__):
        raise AwsError("AccessDeniedException", "no")

    async def receive(service):
        tried = "SELECT 1 FROM sns_delivery WHERE attempts > 0"
        while not await service.store.read(lambda db: db.all(tried)):
            pass
        assert (service.targets.sent, await service.left()) == ([], (1, 1))

    run(publish, tmp_path, works=False)
    monkeypatch.setattr(Backwards, "open", refused)
    run(receive, tmp_path)
    (said,) = (each for each in caplog.records if each.name == "alonzo.sns")
    assert (said.message, said.exc_info) == ("sns.message_not_opened", None)


def test_a_failure_holds_up_its_group_alone(tmp_path):
    async def work(service):
        topic = await service.topic("t.fifo", FifoTopic="true")
        await service.subscribe(topic, f"{QUEUE}q.fifo", RawMessageDelivery="true")
        failures = iter(range(2))

        async def first_of_group_a(params):
            if params["MessageBody"] == "a0" and next(failures, None) is not None:
                raise AwsError("ServiceUnavailable", "not now")

        service.targets.failing["q.fifo"] = first_of_group_a
        for body in ("a0", "b0", "a1", "b1"):
            await service.call(
                "Publish",
                TopicArn=topic,
                Message=body,
                MessageGroupId=body[0],
                MessageDeduplicationId=body,
            )
        await service.targets.wait(4)
        sent = [params["MessageBody"] for _, params in service.targets.sent]
        assert [body for body in sent if body[0] == "a"] == ["a0", "a1"]
        assert [body for body in sent if body[0] == "b"] == ["b0", "b1"]

    run(work, tmp_path)


def test_a_duplicate_is_answered_as_its_first_and_not_delivered(tmp_path):
    async def work(service):
        topic = await service.topic("t.fifo", FifoTopic="true")
        await service.subscribe(topic, f"{QUEUE}q.fifo")
        same = {"TopicArn": topic, "MessageDeduplicationId": "d"}
        first = await service.call("Publish", Message="1", MessageGroupId="g", **same)
        second = await service.call("Publish", Message="2", MessageGroupId="h", **same)
        assert second == first
        assert len(first["SequenceNumber"]) == 20
        await service.call(
            "SetTopicAttributes",
            TopicArn=topic,
            AttributeName="FifoThroughputScope",
            AttributeValue="MessageGroup",
        )
        third = await service.call("Publish", Message="3", MessageGroupId="h", **same)
        assert third["SequenceNumber"] > first["SequenceNumber"]
        await service.targets.wait(2)
        bodies = [json.loads(params["MessageBody"]) for _, params in service.targets.sent]
        assert [body["Message"] for body in bodies] == ["1", "3"]
        assert bodies[0]["SequenceNumber"] == first["SequenceNumber"]
        assert "Signature" not in bodies[0]

    run(work, tmp_path)


def test_slow_endpoints_leave_room_for_others(tmp_path):
    async def work(service):
        topic, other = await service.topic(), await service.topic("other")
        gate = asyncio.Event()

        async def hangs(_):
            await gate.wait()

        for number in range(20):
            service.targets.failing[f"slow{number}"] = hangs
            await service.subscribe(topic, f"{QUEUE}slow{number}", RawMessageDelivery="true")
        await service.subscribe(other, f"{QUEUE}quick", RawMessageDelivery="true")
        for _ in range(30):
            await service.call("Publish", TopicArn=topic, Message="m")
        await service.call("Publish", TopicArn=other, Message="m")
        await service.targets.wait(1)
        assert service.targets.sent[0][0] == "quick"
        gate.set()
        await service.targets.wait(601)
        await service.until_empty()

    run(work, tmp_path)


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(tmp_path):
    async def work(service):
        topic = await service.topic()
        redrive = json.dumps({"deadLetterTargetArn": f"{QUEUE}dead"})
        await service.subscribe(topic, FUNCTION, "lambda", RedrivePolicy=redrive)
        tries = []

        async def refuses(_):
            tries.append(1)
            raise AwsError("AccessDeniedException", "no")

        service.targets.failing["f"] = refuses
        await service.call("Publish", TopicArn=topic, Message="m", Subject="s")
        await service.targets.wait(1)
        name, params = service.targets.sent[0]
        assert (name, len(tries)) == ("dead", 1)
        assert json.loads(params["MessageBody"])["Message"] == "m"
        await service.until_empty()

    run(work, tmp_path)


def test_an_endpoint_is_tried_as_its_policy_says_and_no_faster(tmp_path):
    async def work(service):
        topic = await service.topic()
        policy = {
            "healthyRetryPolicy": {"numRetries": 3, "numNoDelayRetries": 3},
            "throttlePolicy": {"maxReceivesPerSecond": 1000},
        }
        arn = await service.subscribe(
            topic,
            "http://h/",
            "http",
            DeliveryPolicy=json.dumps(policy),
            RedrivePolicy=json.dumps({"deadLetterTargetArn": f"{QUEUE}dead"}),
        )
        await service.targets.wait(1)
        headers, body = service.targets.sent[0][1]
        assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
        token = json.loads(body)["Token"]
        confirmed = await service.call("ConfirmSubscription", TopicArn=topic, Token=token)
        assert confirmed["SubscriptionArn"] == arn
        tries = []

        async def is_down(_):
            tries.append(1)
            raise PostError("the endpoint answered 503", is_final=False)

        service.targets.failing["http://h/"] = is_down
        await service.call("Publish", TopicArn=topic, Message="m")
        await service.targets.wait(2)
        assert (service.targets.sent[1][0], len(tries)) == ("dead", 4)

    run(work, tmp_path)


def test_the_trace_header_and_the_topic_go_with_each_delivery(tmp_path):
    async def work(service):
        topic = await service.topic()
        await service.subscribe(topic, FUNCTION, "lambda")
        await service.subscribe(topic, f"{QUEUE}q")
        await service.call("Publish", TopicArn=topic, Message="m", MessageGroupId="g")
        await service.targets.wait(2)
        sent = dict(service.targets.sent)
        trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
        assert sent["q"]["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == trace
        assert sent["q"]["MessageGroupId"] == "g"
        record = sent["f"]["Records"][0]
        assert record["EventSource"] == "aws:sns"
        assert record["Sns"]["Subject"] is None
        assert record["Sns"]["MessageAttributes"] == {}
        for use in service.targets.uses:
            assert (use.service, use.source_arn) == ("sns.amazonaws.com", topic)
            assert use.trace_header == trace

    run(work, tmp_path)


def test_what_is_deleted_takes_its_deliveries_along(tmp_path):
    async def work(service):
        topic = await service.topic()
        one = await service.subscribe(topic, f"{QUEUE}one")
        await service.subscribe(topic, f"{QUEUE}two")
        await service.call("Publish", TopicArn=topic, Message="m")
        await service.call("Unsubscribe", SubscriptionArn=one)
        assert await service.left() == (1, 1)
        await service.call("DeleteTopic", TopicArn=topic)
        assert await service.left() == (0, 0)
        assert (await service.call("ListSubscriptions"))["Subscriptions"] == []
        with pytest.raises(AwsError, match="Topic does not exist"):
            await service.call("Publish", TopicArn=topic, Message="m")

    run(work, tmp_path, works=False)


def test_subscriptions_are_their_owners_and_nobody_elses(tmp_path):
    async def work(service):
        topic = await service.topic()
        arn = await service.subscribe(topic, f"{QUEUE}q")
        other = {"SubscriptionArn": arn, "account": "210987654321"}
        with pytest.raises(AwsError, match="AuthorizationError"):
            await service.call("GetSubscriptionAttributes", **other)
        change = {"AttributeName": "FilterPolicy", "AttributeValue": '{"a": ["b"]}'}
        with pytest.raises(AwsError, match="AuthorizationError"):
            await service.call("SetSubscriptionAttributes", **other, **change)
        theirs = await service.call("ListSubscriptions", account="210987654321")
        assert theirs["Subscriptions"] == []

    run(work, tmp_path, works=False)


def test_a_subscription_that_nobody_confirms_is_gone_after_two_days(tmp_path):
    async def work(service):
        topic, directory = await service.topic(), service.topics.directory
        arn = await service.subscribe(topic, "http://h/", "http")
        token = directory.try_subscription(arn).token
        assert len(token) == 288
        directory.clock = ManualClock(directory.clock.now_s() + 2 * 86_400 + 1)
        with pytest.raises(AwsError, match="Token"):
            await service.call("ConfirmSubscription", TopicArn=topic, Token=token)
        await Keeper(directory).tidy()
        assert (await service.call("ListSubscriptions"))["Subscriptions"] == []

    run(work, tmp_path, works=False)


def test_tidying_goes_on_though_somebody_deletes_meanwhile(tmp_path):
    async def work(service):
        topic, directory = await service.topic(), service.topics.directory
        gone, _ = [await service.subscribe(topic, f"http://{each}/", "http") for each in "ab"]
        directory.clock = ManualClock(directory.clock.now_s() + 2 * 86_400 + 1)
        sql = "DELETE FROM sns_subscription WHERE arn = :arn"
        await service.store.tx(lambda db: db.execute(sql, {"arn": gone}))
        await Keeper(directory).tidy()
        assert list(directory.every_subscription()) == []

    run(work, tmp_path, works=False)


def test_lists_come_in_pages_of_a_hundred(tmp_path):
    async def work(service):
        topics = {await service.topic(f"t{number}") for number in range(101)}
        topic = await service.topic("t0")
        for number in range(101):
            await service.subscribe(topic, f"{QUEUE}q{number}")
        seen = set()
        first = await service.call("ListTopics")
        second = await service.call("ListTopics", NextToken=first["NextToken"])
        seen = {each["TopicArn"] for page in (first, second) for each in page["Topics"]}
        assert seen == topics
        assert "NextToken" not in second
        first = await service.call("ListSubscriptionsByTopic", TopicArn=topic)
        assert len(first["Subscriptions"]) == 100
        second = await service.call("ListSubscriptions", NextToken=first["NextToken"])
        assert len(second["Subscriptions"]) == 1

    run(work, tmp_path)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_signature_verifies_after_a_restart(tmp_path, version):
    async def signed():
        signer = Signer(tmp_path / "key.pem", SystemClock())
        return await signer.sign("text", version), await signer.certificate()

    signature, (path, pem) = asyncio.run(signed())
    again, (same_path, _) = asyncio.run(signed())
    assert (signature, path) == (again, same_path)
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    key = x509.load_pem_x509_certificate(pem).public_key()
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    key.verify(base64.b64decode(signature), b"text", padding.PKCS1v15(), algorithm)

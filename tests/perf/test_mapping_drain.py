"""A function drains a long queue as fast as a short one, and a message starts it soon."""

import concurrent.futures
import faulthandler
import statistics
import time

import pytest

from alonzo.testing.functions import ADMIN_ROLE, deploy
from alonzo.testing.waiting import eventually

ARN = "arn:aws:sqs:us-east-1:000000000000"
WAITING = (1_000, 10_000, 100_000)
#: How much slower the longest queue may be than the middle one. Other work on the host weighs more.
SLOWER_MAX = 2.0
SENDS = 300
DRAIN = "def handler(event, context): return None"
START = """
import time

def handler(event, context):
    at_s = time.time()
    for record in event["Records"]:
        print("AT", record["body"], at_s)
"""


class Bench:
    def __init__(self, daemon, source):
        self.daemon = daemon
        self.lambdas, self.sqs = daemon.client("lambda"), daemon.client("sqs")
        deploy(self.lambdas, "f", source, Role=ADMIN_ROLE)

    def map(self, name, *, enabled):
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        uuid = self.lambdas.create_event_source_mapping(
            FunctionName="f", EventSourceArn=f"{ARN}:{name}", Enabled=enabled
        )["UUID"]
        state = "Enabled" if enabled else "Disabled"
        eventually(lambda: self.lambdas.get_event_source_mapping(UUID=uuid)["State"] == state, 20)
        return url, uuid

    def fill(self, url, waiting):
        entries = [{"Id": str(n), "MessageBody": "x" * 100} for n in range(10)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for _ in pool.map(
                lambda _: self.sqs.send_message_batch(QueueUrl=url, Entries=entries),
                range(waiting // 10),
            ):
                pass

    def left(self, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(each) for each in shown.values())

    def rate(self, waiting):
        """Messages a second, from the moment that the mapping is enabled."""
        url, uuid = self.map(f"q{waiting}", enabled=False)
        self.fill(url, waiting)
        began = time.perf_counter()
        self.lambdas.update_event_source_mapping(UUID=uuid, Enabled=True)
        eventually(lambda: self.left(url) == 0, 300)
        return waiting / (time.perf_counter() - began)

    def starts_s(self, url):
        """From the call that sends a message to the first line of the function, each time."""
        for _ in range(SENDS):
            self.sqs.send_message(QueueUrl=url, MessageBody=repr(time.time()))
            time.sleep(0.03)
        logs = self.daemon.client("logs")

        def lines():
            found = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="AT")
            events = found["events"]
            while "nextToken" in found:
                found = logs.filter_log_events(
                    logGroupName="/aws/lambda/f", filterPattern="AT", nextToken=found["nextToken"]
                )
                events += found["events"]
            said = [each for each in events if each["message"].startswith("AT ")]
            return said if len(said) == SENDS else None

        pairs = [event["message"].split()[1:] for event in eventually(lines, 30)]
        return sorted(float(at) - float(sent) for sent, at in pairs)


@pytest.mark.timeout(900)
def test_a_long_queue_drains_as_fast_as_a_short_one(own_platform, capsys):
    # It takes longer than a test usually hangs.
    faulthandler.cancel_dump_traceback_later()
    bench = Bench(own_platform(), DRAIN)
    rates = {waiting: bench.rate(waiting) for waiting in WAITING}
    with capsys.disabled():
        for waiting, measured in rates.items():
            print(f"\n{waiting:7d} waiting: {measured:5.0f} messages a second", end="")
    assert rates[100_000] > rates[10_000] / SLOWER_MAX


@pytest.mark.timeout(120)
def test_a_message_starts_its_function_soon(own_platform, capsys):
    bench = Bench(own_platform(), START)
    starts_s = bench.starts_s(bench.map("q", enabled=True)[0])
    p50, p99 = statistics.median(starts_s), starts_s[int(SENDS * 0.99)]
    with capsys.disabled():
        print(f"\nsend to start: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms", end="")
    assert p50 < 0.5

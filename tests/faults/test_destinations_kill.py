"""``kill -9`` around the end of an event: its record is not lost, and no attempt is added."""

import contextlib
import json
import random
import sqlite3
import time

import pytest

from alonzo.testing.functions import ADMIN_ROLE, deploy
from alonzo.testing.waiting import eventually

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

# A line is durable a tenth of a second after it was written. The record's own event ends later, so
# that one whose line a kill takes is still running, and runs again.
SINK = """
import json, time
def handler(event, context):
    print("record", json.dumps(event), flush=True)
    time.sleep(0.5)
"""
FAILING = "def handler(event, context):\n    print('ran')\n    raise ValueError(event['n'])\n"


def printed(daemon, name, word):
    client = daemon.client("logs")
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{name}", filterPattern=word
        )
        return [event["message"] for page in pages for event in page["events"]]
    return []


def left(daemon):
    with sqlite3.connect(f"file:{daemon.data_dir}/alonzo.db?mode=ro", uri=True) as db:
        counts = [
            db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("async_event", "async_delivery")
        ]
    db.close()
    return sum(counts)


def prepare(daemon, **config):
    client = daemon.client("lambda")
    sink = deploy(client, "sink", SINK)
    worker = deploy(client, "worker", FAILING, Role=ADMIN_ROLE)
    client.put_function_event_invoke_config(
        FunctionName="worker",
        DestinationConfig={"OnFailure": {"Destination": sink.arn}},
        **config,
    )
    return worker


def conditions(daemon):
    told = [json.loads(line.split("record ", 1)[1]) for line in printed(daemon, "sink", "record")]
    return [record["requestContext"]["condition"] for record in told]


@pytest.mark.parametrize(
    "point",
    ["events.after_claim", "events.after_run", "events.after_settle", "deliveries.after_deliver"],
)
def test_a_record_survives_a_death_at_any_point_of_its_way(own_platform, point):
    daemon = own_platform()
    prepare(daemon, MaximumRetryAttempts=0)
    daemon.stop()
    daemon.arm(point)
    daemon.start()
    with contextlib.suppress(Exception):  # It may die between its commit and its answer.
        daemon.client("lambda").invoke(
            FunctionName="worker", Payload=b'{"n":1}', InvocationType="Event"
        )
    daemon.wait_killed()
    daemon.arm("")
    daemon.start()
    eventually(lambda: left(daemon) == 0 and conditions(daemon), 30)
    told = conditions(daemon)
    # A death between a delivery and its note delivers twice; everywhere else there is one record.
    assert set(told) == {"RetriesExhausted"}
    assert len(told) == 1 or point == "deliveries.after_deliver"


def test_an_attempt_that_a_death_cuts_is_not_added_to_those_configured(own_platform):
    """The second attempt runs at most once more, though the daemon dies in the middle of it."""
    daemon = own_platform()
    prepare(daemon, MaximumRetryAttempts=1)
    daemon.client("lambda").invoke(
        FunctionName="worker", Payload=b'{"n":1}', InvocationType="Event"
    )
    eventually(lambda: _waits(daemon), 20)
    daemon.stop()
    # The minute until the second attempt, in no time.
    with sqlite3.connect(daemon.data_dir / "alonzo.db") as db:
        db.execute("UPDATE async_event SET due_at_s = 0")
    db.close()
    daemon.arm("events.after_run")
    daemon.start()
    daemon.wait_killed()
    daemon.arm("")
    daemon.start()
    eventually(lambda: left(daemon) == 0 and conditions(daemon), 30)
    assert conditions(daemon) == ["RetriesExhausted"]
    assert 1 <= len(printed(daemon, "worker", "ran")) <= 2


def _waits(daemon):
    with sqlite3.connect(f"file:{daemon.data_dir}/alonzo.db?mode=ro", uri=True) as db:
        row = db.execute("SELECT runs FROM async_event WHERE running = 0").fetchone()
    db.close()
    return row == (1,)


@pytest.mark.nightly
def test_no_event_and_no_record_is_lost_in_a_series_of_kills(own_platform):
    """Kills at random moments, while events come in, fail, and are reported."""
    daemon = own_platform()
    prepare(daemon, MaximumRetryAttempts=0)
    chance, accepted, kills = random.Random(11), [], 3
    for life in range(kills):
        client = daemon.client("lambda")
        for n in range(life * 25, (life + 1) * 25):
            client.invoke(
                FunctionName="worker", Payload=json.dumps({"n": n}), InvocationType="Event"
            )
            accepted.append(n)
        time.sleep(chance.random() * 0.2)  # The moment is what the test is about.
        daemon.kill()
        daemon.start()
    eventually(lambda: left(daemon) == 0, 40)

    def told():
        lines = printed(daemon, "sink", "record")
        return [json.loads(line.split("record ", 1)[1]) for line in lines]

    eventually(lambda: {record["requestPayload"]["n"] for record in told()} >= set(accepted), 10)
    for record in told():
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["requestContext"]["approximateInvokeCount"] == 1

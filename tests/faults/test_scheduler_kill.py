"""``kill -9`` around a tick: it is handed over after the next start, and the schedule goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from alonzo.testing.callers import ACCOUNT, Household, allow, trust
from alonzo.testing.topics import messages_of

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"


@pytest.mark.slow
@pytest.mark.parametrize("point", ["scheduler.after_fire", "scheduler.after_carry"])
def test_a_kill_loses_no_tick(own_platform, point):
    platform = own_platform(ALONZO_FAULTS=point)
    trusted = trust({"Service": "scheduler.amazonaws.com"})
    role = Household(platform).role("clockwork", trusted, allow("sqs:SendMessage"))
    url = platform.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    at = datetime.now(UTC) + timedelta(seconds=1)
    platform.client("scheduler").create_schedule(
        Name="s",
        ScheduleExpression=f"at({at.strftime('%Y-%m-%dT%H:%M:%S')})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": QUEUE, "RoleArn": role, "Input": "tick"},
    )
    platform.wait_killed()
    platform.arm("")
    platform.start()
    url = url.replace(url.rpartition(f"/{ACCOUNT}/")[0], platform.endpoint)
    sqs = platform.client("sqs")
    bodies = [each["Body"] for each in messages_of(sqs, url, 1)]
    # What was handed over as the platform died may come once more.
    bodies += [each["Body"] for each in sqs.receive_message(QueueUrl=url).get("Messages", [])]
    assert set(bodies) == {"tick"}
    assert len(bodies) == 1 if point == "scheduler.after_fire" else len(bodies) <= 2

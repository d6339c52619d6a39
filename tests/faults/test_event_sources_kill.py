"""``kill -9`` while an event source mapping is under way: the next start ends it."""

import pytest

from alonzo.testing.functions import ADMIN_ROLE, deploy
from alonzo.testing.waiting import eventually

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


@pytest.mark.parametrize("doing", ["create", "update", "delete"])
def test_what_was_under_way_is_ended_after_a_kill(own_platform, doing):
    daemon = own_platform()
    source = "def handler(event, context): return event"
    deploy(daemon.client("lambda"), "f", source, Role=ADMIN_ROLE)
    daemon.client("sqs").create_queue(QueueName="q")
    uuid = None
    if doing != "create":
        client = daemon.client("lambda")
        uuid = client.create_event_source_mapping(
            FunctionName="f", EventSourceArn=QUEUE, Enabled=False
        )["UUID"]
    daemon.stop()
    daemon.arm("event_sources.after_look")
    daemon.start()
    client = daemon.client("lambda")
    try:
        if doing == "create":
            client.create_event_source_mapping(FunctionName="f", EventSourceArn=QUEUE)
        elif doing == "update":
            client.update_event_source_mapping(UUID=uuid, Enabled=True)
        else:
            client.delete_event_source_mapping(UUID=uuid)
    except Exception:
        pass  # The daemon may die between its commit and its answer.
    daemon.wait_killed()
    daemon.arm("")
    daemon.start()
    client = daemon.client("lambda")

    def states():
        found = client.list_event_source_mappings()["EventSourceMappings"]
        return [each["State"] for each in found]

    expected = [] if doing == "delete" else ["Enabled"]
    eventually(lambda: states() == expected, 10)

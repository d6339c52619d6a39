"""The examples with queues and topics do what their READMEs say, as a user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alonzo.testing.callers import ACCOUNT
from alonzo.testing.daemon import DaemonProcess

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT_S_MAX = 60
WITHIN_S = 40


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    daemon = DaemonProcess(tmp_path_factory.mktemp("examples") / "data")
    daemon.start()
    yield daemon
    daemon.stop()
    assert "Traceback" not in daemon.log, daemon.log


@pytest.fixture
def script(daemon, tmp_path):
    """Runs a script of an example with the environment that ``alonzo env`` prints."""
    key_id, secret = daemon.root_key()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))},
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": daemon.endpoint,
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def run(name, *arguments, fails=False, **more):
        command = [sys.executable, EXAMPLES / name / "deploy.py", *arguments]
        done = subprocess.run(
            command,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=SCRIPT_S_MAX,
        )
        assert (done.returncode != 0) is fails, done.stderr
        return (done.stderr if fails else done.stdout).strip()

    yield run
    daemon.close_clients()


@pytest.fixture
def said(daemon, eventually):
    """What a function has said, once there are so many lines; those of the platform are left."""
    logs = daemon.client("logs")

    def lines(function, count):
        def enough():
            try:
                pages = logs.get_paginator("filter_log_events").paginate(
                    logGroupName=f"/aws/lambda/{function}"
                )
                events = [event for page in pages for event in page["events"]]
            except logs.exceptions.ResourceNotFoundException:
                return None
            found = [event["message"].strip() for event in events]
            own = ("START ", "END ", "REPORT ", "INIT_START ")
            found = [line for line in found if not line.startswith(own)]
            return found if len(found) >= count else None

        return eventually(enough, WITHIN_S)

    return lines


def nothing_is_left(daemon):
    lambdas, sqs, iam = (daemon.client(each) for each in ("lambda", "sqs", "iam"))
    assert lambdas.list_functions()["Functions"] == []
    assert "QueueUrls" not in sqs.list_queues()
    assert {role["RoleName"] for role in iam.list_roles()["Roles"]} <= {"test", "admin"}
    assert daemon.client("sns").list_topics()["Topics"] == []


def test_fan_out_hands_each_function_what_it_wants(daemon, script, said):
    topic = script("fan-out")
    sns = daemon.client("sns")
    for number, kind in enumerate(("paid", "gift", "draft"), 1):
        sns.publish(
            TopicArn=topic,
            Message=json.dumps({"id": number, "total": 30, "country": "Iceland"}),
            MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}},
        )
    assert said("bill", 1) == ["bill: order 1 costs 30"]
    shipped = ["ship: order 1 goes to Iceland", "ship: order 2 goes to Iceland"]
    assert sorted(said("ship", 2)) == shipped
    script("fan-out", "remove")
    nothing_is_left(daemon)


def test_orders_are_kept_in_order_and_what_fails_can_be_moved_back(
    daemon, script, said, eventually
):
    url = script("orders")
    sqs, lambdas = daemon.client("sqs"), daemon.client("lambda")
    orders = [("ada", "tea"), ("ada", "pot"), ("ada", "cup"), ("bob", "cup")]
    entries = [
        {
            "Id": str(at),
            "MessageDeduplicationId": str(at),
            "MessageGroupId": customer,
            "MessageBody": item,
        }
        for at, (customer, item) in enumerate(orders)
    ]
    for _ in range(2):  # The second time it is all known.
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    dead = sqs.get_queue_url(QueueName="orders-dead.fifo")["QueueUrl"]

    def count(queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(map(int, shown.values()))

    eventually(lambda: count(dead) == 2, WITHIN_S)
    waits = ["ada waits for pot", "ada waits for cup"]
    found = said("orders", 6)
    assert sorted(found) == sorted(["ada buys tea for 3", "bob buys cup for 7", *waits, *waits])

    prices = json.dumps({"cup": 7, "tea": 3, "pot": 20})
    lambdas.update_function_configuration(
        FunctionName="orders", Environment={"Variables": {"PRICES": prices}}
    )
    lambdas.get_waiter("function_updated_v2").wait(
        FunctionName="orders", WaiterConfig={"Delay": 0.02, "MaxAttempts": 1000}
    )
    source = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders-dead.fifo"
    sqs.start_message_move_task(SourceArn=source)
    assert said("orders", 8)[6:] == ["ada buys pot for 20", "ada buys cup for 7"]
    eventually(lambda: count(url) == count(dead) == 0, WITHIN_S)
    script("orders", "remove")
    nothing_is_left(daemon)


def test_a_script_says_in_a_line_what_is_wrong_and_touches_what_has_its_prefix(daemon, script):
    sqs = daemon.client("sqs")
    own = sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    mine = {"EXAMPLE_PREFIX": "mine-"}
    url = script("orders", **mine)
    assert url.endswith("/mine-orders.fifo")
    (line,) = script("orders", fails=True, **mine).splitlines()
    assert line.startswith("EntityAlreadyExistsException: "), line
    script("orders", "remove", **mine)
    assert sqs.list_queues()["QueueUrls"] == [own]
    sqs.delete_queue(QueueUrl=own)
    nothing_is_left(daemon)
    (line,) = script("orders", fails=True, AWS_ENDPOINT_URL="http://127.0.0.1:1").splitlines()
    assert line.startswith("EndpointConnectionError: "), line

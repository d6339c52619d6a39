"""What is provisioned is there again after ``kill -9``, and its counts survive other deaths."""

import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.functions import deploy
from alonzo.testing.residue import descendants
from alonzo.testing.waiting import eventually

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

TELLS = """
import os, time
def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""
ON_DEMAND, PROVISIONED = "on-demand", "provisioned-concurrency"


def put(daemon, number):
    daemon.client("lambda").put_provisioned_concurrency_config(
        FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=number
    )


def is_ready(daemon, number):
    found = daemon.client("lambda").get_provisioned_concurrency_config(
        FunctionName="f", Qualifier="1"
    )
    available = found["AvailableProvisionedConcurrentExecutions"]
    return found["Status"] == "READY" and available == number


def deployed(daemon):
    made = deploy(daemon.client("lambda"), "f", TELLS)
    daemon.client("lambda").publish_version(FunctionName="f")
    return made


def test_what_was_ready_is_ready_again_after_a_kill(own_platform):
    daemon = own_platform()
    deployed(daemon)
    put(daemon, 3)
    eventually(partial(is_ready, daemon, 3), 20)
    daemon.kill()
    daemon.start()
    eventually(partial(is_ready, daemon, 3), 20)
    answer = daemon.client("lambda").invoke(FunctionName="f", Qualifier="1", Payload=b"{}")
    assert answer["Payload"].read().decode() == f'"{PROVISIONED}"'


def test_what_was_accepted_comes_whenever_the_daemon_dies(own_platform):
    daemon = own_platform()
    deployed(daemon)
    for number in (1, 4, 2):
        put(daemon, number)
        daemon.kill()
        daemon.start()
    daemon.kill()
    daemon.arm("provisioning.after_look")
    # It may die before it can say where it listens.
    with suppress(AssertionError):
        daemon.start()
    if daemon.is_running:
        daemon.wait_killed()
    daemon.arm("")
    daemon.start()
    eventually(partial(is_ready, daemon, 2), 20)


@pytest.mark.nightly
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2])
def test_after_deaths_at_random_as_many_run_as_may_and_no_more(own_platform, seed):
    # It is not about the rate of requests, which so many calls would meet.
    daemon = own_platform("--set", "invoke.requests_s=1000")
    function = deployed(daemon)
    client = daemon.client("lambda")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=4)
    put(daemon, 2)
    eventually(partial(is_ready, daemon, 2), 20)
    chance = random.Random(seed)
    stop = threading.Event()

    def call(worker):
        while not stop.wait(0.05):
            with suppress(ClientError):
                function.invoke({"sleep": 0.02}, Qualifier=("1", "$LATEST")[worker % 2])

    with ThreadPoolExecutor(4) as threads:
        for worker in range(4):
            threads.submit(call, worker)
        for _ in range(40):
            below = sorted(descendants(daemon.pid))
            if below:
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(below), signal.SIGKILL)
            stop.wait(chance.uniform(0, 0.1))
        stop.set()
    eventually(partial(is_ready, daemon, 2), 60)

    def full():
        """Four calls fill the reservation, two of them provisioned, and a fifth finds no place."""
        with ThreadPoolExecutor(4) as threads:
            running = [
                threads.submit(function.invoke, {"sleep": 1.5}, Qualifier=qualifier)
                for qualifier in ("1", "1", "$LATEST", "$LATEST")
            ]
            refused = eventually(partial(reason_of_refusal, function), 10)
            how = sorted(call.result().json for call in running)
        return refused, how

    refused, how = eventually(lambda: tried(full), 60)
    assert refused == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert how == [ON_DEMAND] * 2 + [PROVISIONED] * 2
    eventually(partial(is_ready, daemon, 2), 20)
    assert "task.failed" not in daemon.log, daemon.log


def tried(action):
    """What it answers, or None: something was still being repaired."""
    try:
        return action()
    except (ClientError, AssertionError):
        return None


def reason_of_refusal(function):
    """Why a call more is refused, or None: it was not, or there were too many a second."""
    try:
        function.invoke({}, Qualifier="$LATEST")
    except function.client.exceptions.TooManyRequestsException as error:
        reason = error.response["Reason"]
        return reason if "Concurrent" in reason else None
    return None

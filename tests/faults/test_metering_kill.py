"""``kill -9`` under load: what the log reports, what was used and what was measured agree."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from alonzo.testing.accounts import Accounts
from alonzo.testing.functions import deploy

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

WORK = """
import time
def handler(event, context):
    time.sleep(event)
    if event > 0.004:
        raise ValueError("told to")
"""


def call_until_dead(function, chance):
    """Call as fast as the platform answers, from several clients; answers how often it did."""
    answered = []
    dead = threading.Event()

    def work(seed):
        own = random.Random(seed)
        while not dead.is_set():
            try:
                function.invoke(own.choice((0, 0, 0.002, 0.005)))
            except Exception:
                dead.set()
            else:
                answered.append(1)

    threads = ThreadPoolExecutor(4)
    futures = [threads.submit(work, chance.random()) for _ in range(4)]
    return answered, dead, threads, futures


def agree(platform, name):
    accounts = Accounts(platform)
    reported, used, measured = (
        accounts.reported(name), accounts.used(name), accounts.measured(name),
    )  # fmt: skip
    assert used.attempts == measured.attempts == reported.attempts
    assert used.billed_ms == reported.billed_ms
    assert used.errors == measured.errors
    assert measured.duration_ms == pytest.approx(reported.duration_ms, abs=0.01)
    return reported.attempts


@pytest.mark.nightly
def test_usage_and_report_lines_agree_after_kills_at_random(own_platform):
    platform, chance = own_platform(), random.Random(5)
    deploy(platform.client("lambda"), "worker", WORK)
    done = 0
    for _ in range(4):
        function = deploy_again(platform)
        answered, dead, threads, futures = call_until_dead(function, chance)
        time.sleep(0.3 + chance.random() / 2)
        platform.kill()
        dead.set()
        threads.shutdown()
        assert not [future.exception() for future in futures if future.exception()]
        done += len(answered)
        platform.start()
        kept = agree(platform, "worker")
        # Each kill may take what was counted in the last fraction of a second, and no more.
        assert 0 < kept <= done + 4
    assert agree(platform, "worker") > done / 4


def deploy_again(platform):
    """The function as this start's clients call it."""
    from alonzo.testing.functions import DeployedFunction

    client = platform.client("lambda")
    arn = client.get_function_configuration(FunctionName="worker")["FunctionArn"]
    return DeployedFunction(client, "worker", arn)


@pytest.mark.slow
@pytest.mark.parametrize(
    "point",
    ["logs.before_flush", "logs.after_flush", "metrics.before_fold", "metrics.after_fold"],
)
def test_a_death_at_any_step_counts_nothing_twice(own_platform, point):
    platform = own_platform()
    deploy(platform.client("lambda"), "worker", WORK)
    function = deploy_again(platform)
    for _ in range(20):
        function.invoke(0)
    before = agree(platform, "worker")
    assert before == 20
    platform.stop()
    platform.arm(point)
    platform.start()
    function = deploy_again(platform)
    answered = 0
    try:
        for _ in range(200):
            function.invoke(0)
            answered += 1
        Accounts(platform).used("worker")
    except Exception as error:
        died = error
    platform.wait_killed()
    assert died
    platform.arm("")
    platform.start()
    assert 20 <= agree(platform, "worker") <= 20 + answered + 1

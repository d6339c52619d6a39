"""As many calls as an account may have at once, all of them running at the same moment."""

import faulthandler
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import botocore.config
import pytest

from alonzo.model.limits import ACCOUNT_CONCURRENCY
from alonzo.testing.clients import make_client
from alonzo.testing.daemon import REGION
from alonzo.testing.functions import deploy

#: From the first call until all of them are sure to run; then they end together.
ALL_RUN_S = 100.0
TEST_S_MAX = 400

#: Says when it began and in which environment, and ends when it is told to.
WAITS = """
import os, time
ENVIRONMENT = os.urandom(8).hex()
def handler(event, context):
    began = time.time()
    time.sleep(max(0.0, event["until"] - began))
    return {"began": began, "environment": ENVIRONMENT}
"""


@pytest.mark.timeout(TEST_S_MAX)
def test_a_thousand_calls_run_at_once_and_one_more_finds_no_place(own_platform):
    # It takes longer than a test usually hangs.
    faulthandler.cancel_dump_traceback_later()
    daemon = own_platform()
    deploy(daemon.client("lambda"), "f", WAITS, Timeout=300)
    key_id, secret = daemon.root_key()
    client = make_client(
        "lambda",
        REGION,
        endpoint_url=daemon.endpoint,
        config=botocore.config.Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=60,
            read_timeout=300,
            max_pool_connections=ACCOUNT_CONCURRENCY + 1,
            proxies={},
        ),
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )
    until = time.time() + ALL_RUN_S
    payload = json.dumps({"until": until}).encode()
    together = threading.Barrier(ACCOUNT_CONCURRENCY)

    def call(_):
        together.wait()
        answer = client.invoke(FunctionName="f", Payload=payload)
        return json.loads(answer["Payload"].read())

    with ThreadPoolExecutor(ACCOUNT_CONCURRENCY) as threads:
        told = threads.map(call, range(ACCOUNT_CONCURRENCY))
        threading.Event().wait(until - time.time() - 5)
        with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
            client.invoke(FunctionName="f", Payload=payload)
        answers = list(told)
    client.close()
    assert caught.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert len({answer["environment"] for answer in answers}) == ACCOUNT_CONCURRENCY
    # The last one began before the first one ended.
    assert max(answer["began"] for answer in answers) < until

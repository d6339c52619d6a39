"""Lists cost what they show, and an upload starts its function soon."""

import asyncio
import json
import statistics
import time

import pytest

from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.services.s3 import bucket_rows
from alonzo.services.s3.api import Buckets, operations
from alonzo.services.s3.objects import rows
from alonzo.services.s3.records import ObjectVersion
from alonzo.store.blobs import BlobStore
from alonzo.store.sqlite import SqliteStore
from alonzo.testing.callers import ACCOUNT
from alonzo.testing.functions import ADMIN_ROLE

KEYS = 100_000
STEP = 10_000
#: How much more a page may cost at the end of the bucket than at its beginning.
DEARER_MAX = 1.5
UPLOADS = 50
#: From the answer to PutObject until the function's first line, in the middle.
START_MS_MAX = 10.0

TELLS = """
import json, os, time
import boto3
sqs = boto3.client("sqs")
def handler(event, context):
    at = time.time()
    key = event["Records"][0]["s3"]["object"]["key"]
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps([key, at]))
"""


def fill(bucket_id, first):
    def work(conn):
        for at in range(first, first + STEP):
            number = bucket_rows.next_number(conn)
            key = f"{at // 1000:03}/{at % 1000:04}"
            version = ObjectVersion(
                number, bucket_id, key, "null", True, False, 5, "e" * 32, 1.0, ACCOUNT
            )
            rows.insert_version(conn, version, b"x" * 50)

    return work


@pytest.mark.timeout(600)
def test_a_page_costs_the_same_wherever_it_begins(tmp_path):
    root = Principal(ACCOUNT, "root", ACCOUNT, "AKIA", is_root=True)
    context = RequestContext("R", ACCOUNT, "us-east-1", root, "http://h", "127.0.0.1")

    async def main():
        clock = SystemClock()
        store = await SqliteStore.open(tmp_path / "a.db", clock=clock)
        blobs = BlobStore(tmp_path / "objects", b"b" * 32)
        buckets = Buckets(
            store, blobs, None, encryption=None, key=b"k" * 32, clock=clock, ids=SystemIds()
        )
        await buckets.open()
        found = operations(buckets)
        await found["CreateBucket"](context, {"Bucket": "many"})
        bucket_id = buckets.directory.find_nowait("many").id
        for first in range(0, KEYS, STEP):
            await store.tx(fill(bucket_id, first))

        async def cost_ms(what, **params):
            costs = []
            for _ in range(7):
                began_s = time.perf_counter()
                page = await found["ListObjectsV2"](context, {"Bucket": "many", **params})
                costs.append((time.perf_counter() - began_s) * 1000)
            print(f"{what:>24}: {min(costs):6.2f} ms for {page['KeyCount']}")
            return min(costs)

        first = await cost_ms("first page")
        last = await cost_ms("last page", StartAfter="098/9")
        groups = await cost_ms("100 common prefixes", Delimiter="/")
        await store.close()
        return first, last, groups

    first, last, groups = asyncio.run(main())
    assert last <= first * DEARER_MAX
    # 100 groups of 1,000 keys each: less than five pages' worth, and not a hundred.
    assert groups <= first * 5


def test_an_upload_starts_its_function_soon(boto, function, lambda_client, function_name):
    name = function_name.lower()[-40:].strip("-")
    s3, sqs = boto("s3"), boto("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    made = function(TELLS, Role=ADMIN_ROLE, Timeout=20, Environment={"Variables": {"QUEUE": url}})
    s3.create_bucket(Bucket=name)
    lambda_client.add_permission(
        FunctionName=made.name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    one = {"LambdaFunctionArn": made.arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"LambdaFunctionConfigurations": [one]}
    )
    waits_ms = []
    for at in range(UPLOADS):
        s3.put_object(Bucket=name, Key=str(at), Body=b"x")
        answered_s = time.time()
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        key, started_s = json.loads(message["Body"])
        assert key == str(at)
        waits_ms.append((started_s - answered_s) * 1000)
        s3.delete_object(Bucket=name, Key=str(at))
    s3.delete_bucket(Bucket=name)
    sqs.delete_queue(QueueUrl=url)
    # The first one waits for the environment to be made, and for boto3.
    median = statistics.median(waits_ms[1:])
    print(f"start after the answer: median {median:.1f} ms, worst {max(waits_ms[1:]):.1f} ms")
    assert median <= START_MS_MAX

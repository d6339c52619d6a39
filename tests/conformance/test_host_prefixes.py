"""Operations before whose endpoint SDKs put a prefix, inside, where nobody set anything."""

from alonzo.model.host_prefixes import LOOPBACK_NAMES
from alonzo.testing.functions import ADMIN_ROLE

#: Tails its own group, and tells where the SDK went, and what it saw.
TAILS = """
import os, socket, time, boto3

def handler(event, context):
    logs, hosts = boto3.client("logs"), []
    note = lambda request, **_: hosts.append(request.url.split("/")[2].partition(":")[0])
    logs.meta.events.register("before-send.logs.StartLiveTail", note)
    group = {"logGroupName": event["group"]}
    logs.create_log_group(**group)
    stream = {**group, "logStreamName": "one"}
    logs.create_log_stream(**stream)
    account = context.invoked_function_arn.split(":")[4]
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:{event['group']}"
    session = logs.start_live_tail(logGroupIdentifiers=[arn])["responseStream"]
    seen = []
    for each in session:
        if "sessionStart" in each:
            now = [{"timestamp": int(time.time() * 1000), "message": "said live"}]
            logs.put_log_events(**stream, logEvents=now)
        seen += [one["message"] for one in each.get("sessionUpdate", {}).get("sessionResults", [])]
        if seen:
            break
    session.close()
    logs.delete_log_group(**group)
    return {
        "hosts": hosts,
        "seen": seen,
        "set": "AWS_DISABLE_HOST_PREFIX_INJECTION" in os.environ,
        "found": {name: socket.gethostbyname(name) for name in event["names"]},
    }
"""


def test_an_unmodified_boto3_tails_logs_inside(function, function_name):
    tails = function(TAILS, Role=ADMIN_ROLE, Timeout=30, MemorySize=512)
    outcome = tails.invoke({"group": function_name, "names": LOOPBACK_NAMES})
    assert outcome.function_error is None, outcome.body
    assert outcome.json == {
        "hosts": ["stream-127.0.0.1"],
        "seen": ["said live"],
        "set": False,
        "found": dict.fromkeys(LOOPBACK_NAMES, "127.0.0.1"),
    }

"""``make quickstart``: start a platform, deploy examples/hello with boto3, invoke it, show it all.

Arguments are passed on to ``alonzo serve``. Everything lives in a temporary folder that is removed
at the end, so that it can be run any number of times, by anybody.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import boto3

from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, deploy
from alonzo.testing.waiting import eventually

HELLO = Path(__file__).parent.parent / "examples" / "hello"
WARM_INVOKES = 200
LOG_S_MAX = 10.0

NEXT = """\
Next:
  .venv/bin/alonzo serve                keep a platform running; its data stays between runs
  eval "$(.venv/bin/alonzo env)"        in another shell: every AWS tool now talks to it
  aws lambda list-functions             the AWS CLI, boto3, SAM, CDK, Terraform: as always
  .venv/bin/alonzo doctor               which isolation layers this host gives
  examples/hello/README.md              deploy this function by hand
"""


class Stopwatch:
    """Milliseconds since it was made or last read."""

    def __init__(self) -> None:
        self.started_s = time.perf_counter()

    def lap_ms(self) -> float:
        now_s = time.perf_counter()
        elapsed_ms, self.started_s = (now_s - self.started_s) * 1000, now_s
        return elapsed_ms


def say(what: str, ms: float | None = None, detail: str = "") -> None:
    """One line of the account: what happened, how long it took, what came out."""
    took = "" if ms is None else f"{ms:,.1f} ms"
    print(f"  {what:<38}{took:>12}   {detail}".rstrip(), flush=True)


def boto3_client(daemon: DaemonProcess, service: str):
    """A stock boto3 client; only the endpoint is ours."""
    key_id, secret = daemon.root_key()
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=daemon.endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )


def walk(daemon: DaemonProcess) -> None:
    """The tour itself."""
    watch = Stopwatch()
    daemon.start()
    say("platform started", watch.lap_ms(), daemon.endpoint)

    client = boto3_client(daemon, "lambda")
    logs = boto3_client(daemon, "logs")
    say("boto3 clients made", watch.lap_ms(), "stock boto3, only endpoint_url is ours")

    hello = deploy(client, "hello", HELLO, Runtime=PYTHON_RUNTIME, Role=ROLE)
    say("function created, until Active", watch.lap_ms(), hello.arn)

    first = hello.invoke({"name": "you"})
    say("first invoke (cold)", watch.lap_ms(), first.body.decode())
    assert first.function_error is None, first.body
    assert first.json["message"] == "Hello, you!", first.body

    times_ms = []
    for number in range(WARM_INVOKES):
        watch.lap_ms()
        outcome = hello.invoke({"name": str(number)})
        times_ms.append(watch.lap_ms())
        assert outcome.function_error is None, outcome.body
    say(
        f"{WARM_INVOKES} more invokes (warm), median",
        statistics.median(times_ms),
        f"fastest {min(times_ms):.1f}, slowest {max(times_ms):.1f}, boto3's own time included",
    )

    watch.lap_ms()
    events = eventually(lambda: whole_log(logs, "/aws/lambda/hello"), LOG_S_MAX)
    say("the log, from CloudWatch Logs", watch.lap_ms(), f"{len(events)} events, the first ones:")
    for event in events[:5]:
        print(f"      {event['message'].rstrip()}")

    watch.lap_ms()
    daemon.stop()
    say("platform stopped, nothing left behind", watch.lap_ms())


def whole_log(logs, group: str) -> list[dict]:
    """Every event of the group once the last invoke's REPORT is among them; until then nothing."""
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
    reports = sum(event["message"].startswith("REPORT ") for event in events)
    return events if reports == WARM_INVOKES + 1 else []


def main() -> int:
    """Run it; 0 if everything worked."""
    print("\nAlonzo quickstart\n")
    with tempfile.TemporaryDirectory(prefix="alonzo-quickstart-") as scratch:
        daemon = DaemonProcess(Path(scratch, "data"), *sys.argv[1:])
        try:
            walk(daemon)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader needs the platform's words too
            reason = str(error).partition("\n")[0]
            print(f"\nThat failed: {type(error).__name__}: {reason}\n", file=sys.stderr)
            print(f"The platform said:\n{daemon.log}", file=sys.stderr)
            return 1
        finally:
            if daemon.is_running:
                daemon.kill()
    print(
        "\n" + NEXT.format(alonzo=Path(sys.executable).with_name("alonzo").relative_to(Path.cwd()))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

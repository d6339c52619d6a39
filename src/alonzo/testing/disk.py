"""What a platform may have on disk once everything has been deleted: what it had before.

``KEPT_A_WHILE`` and ``KEPT_FOR_GOOD`` are the only exceptions, each with its reason; a table that
is in neither has as many rows as before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from alonzo.store.weighing import Weights, weigh
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.waiting import eventually

T = TypeVar("T")

MIB = 1024 * 1024

#: Tables that keep rows of what is gone for a time, and why.
KEPT_A_WHILE = {
    "alarm_history": "CloudWatch shows what happened for 14 days, also of alarms that are gone",
    "code_package": "links and requests under way may need a package for an hour",
    "events_replay": "replays cannot be deleted; they are shown for 90 days",
    "kms_key": "a key waits for its deletion, for 7 days or more",
    "kms_material": "and what it encrypted can be read until then",
    "log_query": "results of Logs Insights are shown for 7 days",
    "log_query_page": "and are in pages",
    "metric": "metrics cannot be deleted; they are shown for 15 months",
    "metric_point": "and so are their points",
    "sns_deduplication": "what was published within five minutes is told from what is new",
    "sqs_deduplication": "what was sent within five minutes is told from what is new",
    "sqs_move_task": "move tasks of a deleted queue go with what is left of it",
    "sqs_deleted_queue": "a send that was under way may still come, for two minutes",
}

#: What stays for good, and of what there is a row each.
KEPT_FOR_GOOD = {
    "function_usage": "what a configuration of a version used in a day",
    "iam_deleted_role": "an ARN of deleted roles: no session of one may pass for one unknown",
    "kms_alias": "a key of AWS's own, by service, account and region",
    "layer": "a name of layers: no number of a version is given twice",
    "s3_sequence": "the sequence of ids",
    "sqs_sequence": "the sequence of ids",
}

#: What the files may be longer by: the free pages that the store keeps, and the log.
_SPARE_BYTES = 5 * MIB
#: What rows that are kept may take: figures of a test's few minutes and functions.
_KEPT_BYTES = MIB // 2


def weights_of(daemon: DaemonProcess) -> Weights:
    """What the daemon's database weighs now."""
    return weigh(daemon.data_dir / "alonzo.db")


def files_of(daemon: DaemonProcess, folder: str) -> frozenset[Path]:
    """What is in a folder of its data directory: ``blobs``, ``objects``, ``run``."""
    return frozenset(each for each in (daemon.data_dir / folder).rglob("*") if each.is_file())


def grown(daemon: DaemonProcess, before: Weights) -> dict[str, int]:
    """How many rows more tables have than before; those that have."""
    was = before.rows()
    more = {name: rows - was.get(name, 0) for name, rows in weights_of(daemon).rows().items()}
    return {name: count for name, count in more.items() if count > 0}


def fold_metrics(daemon: DaemonProcess) -> None:
    """Have what waits in the journal of metrics counted, as any question for figures has."""
    daemon.client("cloudwatch").list_metrics()


def settles(left: Callable[[], T], within_s: float) -> T:
    """Wait until nothing is left, and answer what is: for an assertion that says it."""
    with contextlib.suppress(AssertionError):
        eventually(lambda: not left(), within_s)
    return left()


def wait_for_baseline(daemon: DaemonProcess, before: Weights, within_s: float) -> Weights:
    """Wait until a database in which everything was deleted is as small as before.

    Raises:
        AssertionError: it is not ``within_s`` seconds later; the text has what is in it.
    """

    def too_much() -> Mapping[str, int]:
        fold_metrics(daemon)
        now = weights_of(daemon)
        found = {
            name: count
            for name, count in grown(daemon, before).items()
            if name not in KEPT_A_WHILE and name not in KEPT_FOR_GOOD
        }
        used = now.file_bytes - now.free_bytes - (before.file_bytes - before.free_bytes)
        if used > _KEPT_BYTES:
            found["bytes in use"] = used
        spare = now.free_bytes + now.log_bytes
        if spare > _SPARE_BYTES:
            found["bytes of free pages and log"] = spare
        return found

    left = settles(too_much, within_s)
    now = weights_of(daemon)
    assert not left, f"{dict(left)} more than before, in all:\n{now.report()}"
    return now

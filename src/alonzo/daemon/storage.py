"""What fills a data directory: the database by service and table, and the folders beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from alonzo.store.weighing import TableWeight, Weights, weigh

#: The database in a data directory.
DATABASE = "alonzo.db"

#: What tables begin with, and whose they are. The first that fits counts.
_OWNERS = (
    ("function_usage", "usage"),
    ("function", "lambda"),
    ("code_", "lambda"),
    ("layer", "lambda"),
    ("async_", "lambda"),
    ("event_source_mapping", "lambda"),
    ("log_", "logs"),
    ("metric", "cloudwatch"),
    ("alarm", "cloudwatch"),
    ("iam_", "iam"),
    ("kms_", "kms"),
    ("ssm_", "ssm"),
    ("sm_", "secretsmanager"),
    ("sqs_", "sqs"),
    ("sns_", "sns"),
    ("events_", "events"),
    ("schedule", "scheduler"),
    ("s3_", "s3"),
    ("outbox", "on its way"),
)
#: Whose all other tables are.
PLATFORM = "platform"

#: What the folders of a data directory hold.
FOLDERS = {
    "blobs": "code of functions and layers",
    "objects": "objects of S3",
    "trees": "unpacked code",
    "audit": "the audit log",
    "run": "what the running platform needs",
    "keys": "keys of the platform",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """What a data directory holds. Bytes of folders are what their files take on disk."""

    weights: Weights
    folders: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        """The database with its log, and every folder."""
        return self.weights.file_bytes + self.weights.log_bytes + sum(self.folders.values())

    @property
    def empty_bytes(self) -> int:
        """What tables without rows take."""
        return sum(each.total_bytes for each in self.weights.tables if not each.rows)

    def services(self) -> dict[str, list[TableWeight]]:
        """Tables that have rows, by service; the heaviest first."""
        found: dict[str, list[TableWeight]] = {}
        for each in sorted(self.weights.tables, key=lambda each: -each.total_bytes):
            if each.rows:
                found.setdefault(owner_of(each.table), []).append(each)
        weight = {name: sum(each.total_bytes for each in found[name]) for name in found}
        return dict(sorted(found.items(), key=lambda item: -weight[item[0]]))


def owner_of(table: str) -> str:
    """The service whose rows a table holds."""
    return next((owner for start, owner in _OWNERS if table.startswith(start)), PLATFORM)


def measure(data_dir: Path) -> Stored:
    """Measure a data directory, whether a platform runs on it or not.

    Raises:
        StoreError: its database cannot be read.
    """
    weights = weigh(data_dir / DATABASE)
    # What is mounted there belongs to running functions, and is on other disks.
    device = data_dir.stat().st_dev
    seen: set[int] = set()
    folders = {name: sum(_sizes(data_dir / name, device, seen)) for name in FOLDERS}
    return Stored(weights, folders)


def _sizes(folder: Path, device: int, seen: set[int]) -> Iterator[int]:
    """What each file below a folder takes; those that are gone or closed to us take nothing."""
    todo = [folder]
    while todo:
        try:
            entries = list(os.scandir(todo.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                facts = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if facts.st_dev != device or facts.st_ino in seen:
                continue
            # A file may have many names.
            seen.add(facts.st_ino)
            yield facts.st_blocks * 512
            if entry.is_dir(follow_symlinks=False):
                todo.append(Path(entry.path))

"""Function URLs as they lie in the store.

A URL goes with its function or alias. Every function here is part of a unit of work and gets the
unit's connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.function_urls import FUNCTION_URLS_TOPIC
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.control.function_urls")


@dataclass(frozen=True, slots=True)
class UrlRecord:
    """One row of ``function_url``. ``alias`` is None for the function itself."""

    id: str
    key: FunctionKey
    alias: str | None
    auth_type: str
    invoke_mode: str
    cors: Mapping[str, Any] | None
    created_at_s: float
    modified_at_s: float

    @property
    def arn(self) -> str:
        """The ARN of what it calls, qualified only for an alias."""
        return self.key.qualified(self.alias)


def find(db: Connection, ref: FunctionRef) -> UrlRecord | None:
    """The URL of a function or alias, or None."""
    row = db.one(Q.find_url, _columns(ref.key) | {"qualifier": ref.qualifier or ""})
    return None if row is None else _record(row)


def insert(db: Connection, record: UrlRecord) -> None:
    """A new URL of a function or alias that exists and has none."""
    db.execute(
        Q.insert_url,
        _columns(record.key)
        | {
            "qualifier": record.alias or "",
            "alias": record.alias,
            "created_at_s": record.created_at_s,
        }
        | _settings(record),
    )
    db.publish(FUNCTION_URLS_TOPIC, record.key.path)


def save(db: Connection, record: UrlRecord) -> None:
    """Replace the settings of a URL."""
    db.execute(Q.update_url, _settings(record))
    db.publish(FUNCTION_URLS_TOPIC, record.key.path)


def delete(db: Connection, record: UrlRecord) -> None:
    """Delete a URL; its id never comes back."""
    db.execute(Q.delete_url, {"id": record.id})
    db.publish(FUNCTION_URLS_TOPIC, record.key.path)


def page(db: Connection, key: FunctionKey, *, after: str | None, rows_max: int) -> list[UrlRecord]:
    """The URLs of a function: its own, then those of aliases by name. None begins at the start."""
    columns = _columns(key) | {"rows_max": rows_max}
    if after is None:
        return [_record(row) for row in db.all(Q.list_first_urls, columns)]
    return [_record(row) for row in db.all(Q.list_urls, columns | {"after": after})]


def _columns(key: FunctionKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "name": key.name}


def _settings(record: UrlRecord) -> dict[str, Any]:
    cors = None if record.cors is None else json.dumps(record.cors, separators=(",", ":"))
    return {
        "id": record.id,
        "auth_type": record.auth_type,
        "invoke_mode": record.invoke_mode,
        "cors": cors,
        "modified_at_s": record.modified_at_s,
    }


def _record(row: Row) -> UrlRecord:
    return UrlRecord(
        id=row["id"],
        key=FunctionKey(row["account"], row["region"], row["name"]),
        alias=row["alias"],
        auth_type=row["auth_type"],
        invoke_mode=row["invoke_mode"],
        cors=None if row["cors"] is None else json.loads(row["cors"]),
        created_at_s=row["created_at_s"],
        modified_at_s=row["modified_at_s"],
    )

"""One event by its pointer, with all its fields. Runs inside units of work that only read.

Source: CloudWatch Logs API reference, GetLogRecord.
"""

from __future__ import annotations

from alonzo.services.logs import records
from alonzo.services.logs.chunks import unpack
from alonzo.services.logs.insights.rows import fields_of, read_pointer
from alonzo.services.logs.positions import parts_of
from alonzo.services.logs.records import Q
from alonzo.services.logs.rules import GroupKey, expiry_cutoff_ms
from alonzo.services.logs.scan import FoundEvent
from alonzo.store.base import Connection


def record_of(
    db: Connection, pointer: str, where: tuple[str, str], now_ms: int
) -> dict[str, str] | None:
    """The fields of the event that ``@ptr`` names, or None if there is no such event.

    ``where`` are account and region; an event of elsewhere is none.
    """
    at = read_pointer(pointer)
    if at is None:
        return None
    at_ms, chunk_id, place = parts_of(at)
    row = db.one(Q.find_chunk, {"id": chunk_id})
    if row is None or (row["account"], row["region"]) != where:
        return None
    key = GroupKey(*where, row["group_name"])
    group = records.need_group(db, key)
    ingestion_ms, times, messages = unpack(row["body"])
    if place >= len(times) or times[place] != at_ms:
        return None
    if at_ms < expiry_cutoff_ms(group.retention_days, now_ms=now_ms):
        return None
    event = FoundEvent(at, at_ms, ingestion_ms, messages[place], row["stream"])
    return fields_of(event, f"{key.account}:{key.name}")

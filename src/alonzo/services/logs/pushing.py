"""What subscription filters send, and how it gets to functions.

    {"awslogs": {"data": base64(gzip({"messageType": "DATA_MESSAGE", "owner": …, "logGroup": …,
        "logStream": …, "subscriptionFilters": [name], "logEvents": [{id, timestamp, message}]}))}}

A parcel names a chunk and the events of it that matched; the payload is made when it goes out. A
payload that Lambda would not take is cut in halves.

Source: CloudWatch Logs user guide, subscription filters with Lambda.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ServiceCalls, ServiceUse
from alonzo.model.errors import AwsError
from alonzo.services.logs.chunks import unpack
from alonzo.services.logs.positions import event_id, position
from alonzo.services.logs.records import Q
from alonzo.services.logs.rules import GroupKey
from alonzo.store.base import Store
from alonzo.store.outbox import Again, GivenUp, Parcel

PRINCIPAL = "logs.amazonaws.com"

#: Longest payload, in bytes; Lambda takes a little more. A single event may be longer.
PAYLOAD_BYTES_MAX = 1_000_000
#: How long a delivery is tried. Source: as above.
RETRY_S_MAX = 24 * 3600
_RETRY_MAX_S = 300.0
#: Ours: how long events of a function's own group wait that go to the function itself.
OWN_GROUP_PAUSE_S = 5.0

#: Refusals that may pass.
_PASSING = frozenset({"TooManyRequestsException", "ServiceException", "ResourceConflictException"})


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one stream on their way to a function: position, time and message of each."""

    group: GroupKey
    stream: str
    filter: str
    events: Sequence[tuple[int, int, str]]


def calls_itself(group: GroupKey, destination_arn: str) -> bool:
    """Whether a function gets the events of its own default group."""
    parts = destination_arn.split(":")
    return len(parts) > 6 and group.name == f"/aws/lambda/{parts[6]}"


def payloads(batch: Batch) -> Iterator[bytes]:
    """The payloads of a batch, each of a length that Lambda takes. Pure."""
    payload = _payload(batch)
    if len(payload) <= PAYLOAD_BYTES_MAX or len(batch.events) == 1:
        yield payload
        return
    middle = len(batch.events) // 2
    for part in (batch.events[:middle], batch.events[middle:]):
        yield from payloads(Batch(batch.group, batch.stream, batch.filter, part))


def _payload(batch: Batch) -> bytes:
    message = {
        "messageType": "DATA_MESSAGE",
        "owner": batch.group.account,
        "logGroup": batch.group.name,
        "logStream": batch.stream,
        "subscriptionFilters": [batch.filter],
        "logEvents": [
            {"id": event_id(at), "timestamp": time_ms, "message": text}
            for at, time_ms, text in batch.events
        ],
    }
    data = base64.b64encode(gzip.compress(orjson.dumps(message), 6, mtime=0))
    return b'{"awslogs":{"data":"%b"}}' % data


class SubscriptionCarrier:
    """Brings what matched to functions. Implements ``store.outbox.Carrier``."""

    def __init__(self, store: Store, calls: ServiceCalls, ids: IdSource) -> None:
        self._store = store
        self._calls = calls
        self._ids = ids

    async def carry(self, parcel: Parcel) -> None:
        """Hand the events of one chunk to the function; nothing, if the chunk is gone."""
        chunk_id: int = parcel.about["chunk"]
        row = await self._store.read(lambda conn: conn.one(Q.find_chunk, {"id": chunk_id}))
        if row is None:
            return
        group = GroupKey(row["account"], row["region"], row["group_name"])
        made = await asyncio.to_thread(_payloads_of, row, group, parcel)
        for payload in made:
            await self._calls.invoke(parcel.lane, payload, use_of(group, parcel.lane, self._ids))

    def after_failure(self, parcel: Parcel, error: Exception, now_s: float) -> Again | GivenUp:
        """Again for a day, longer and longer apart; a refusal that stands is the end."""
        lasts = isinstance(error, AwsError) and error.code not in _PASSING
        if lasts or now_s - parcel.accepted_at_s > RETRY_S_MAX:
            return GivenUp()
        return Again(now_s + min(2.0 ** min(parcel.attempts, 10), _RETRY_MAX_S))


def use_of(group: GroupKey, destination_arn: str, ids: IdSource) -> ServiceUse:
    """On whose behalf a function is called: the group's."""
    return ServiceUse(
        service=PRINCIPAL,
        source_arn=f"{group.arn}:*",
        account=group.account,
        region=destination_arn.split(":")[3],
        request_id=ids.uuid(),
    )


def _payloads_of(row: Any, group: GroupKey, parcel: Parcel) -> list[bytes]:
    _, times, messages = unpack(row["body"])
    places: list[int] = orjson.loads(parcel.document)
    chunk_id: int = parcel.about["chunk"]
    events = [
        (position(times[place], chunk_id, place), times[place], messages[place]) for place in places
    ]
    return list(payloads(Batch(group, row["stream"], parcel.about["filter"], events)))

"""DeleteMessage and ChangeMessageVisibility, alone and in batches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.sqs.errors import invalid_for_parameter, missing_parameter
from alonzo.services.sqs.messages import limits
from alonzo.services.sqs.messages.batches import check_entries, failed, outcome
from alonzo.services.sqs.messages.core import Messages
from alonzo.services.sqs.messages.fifo import settle_group
from alonzo.services.sqs.messages.receipts import Receipt, read_handle
from alonzo.services.sqs.messages.receiving import check_visibility
from alonzo.services.sqs.messages.records import (
    Q,
    delete_by_receipts,
    delete_row,
    find,
    ring,
)
from alonzo.services.sqs.queue import Queue
from alonzo.store.base import Connection, Row

T = TypeVar("T")

#: Per entry: None, or why it failed.
_Results = list[AwsError | None]


class AcknowledgingOperations:
    """The operations on messages that were received."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def delete_message(self, context: RequestContext, params: dict[str, Any]) -> None:
        """Delete one message; one that is gone already is no error."""
        queue = self._queue(context, params)
        receipt = read_handle(_handle(params), queue.id)
        _raise_first(await self._delete(queue, [receipt]))

    async def delete_message_batch(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """Delete up to ten messages; some may fail."""
        queue = self._queue(context, params)
        entries: list[dict[str, Any]] = params.get("Entries") or []
        check_entries(entries, "DeleteMessageBatchRequestEntry")
        return await _each(
            entries,
            lambda entry: read_handle(_handle(entry), queue.id),
            lambda receipts: self._delete(queue, receipts),
        )

    async def change_message_visibility(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """Give one message in flight another timeout, from now on."""
        queue = self._queue(context, params)
        change = _read_change(queue, params, params.get("VisibilityTimeout"))
        _raise_first(await self._change(queue, [change]))

    async def change_message_visibility_batch(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """The same for up to ten messages; some may fail."""
        queue = self._queue(context, params)
        entries: list[dict[str, Any]] = params.get("Entries") or []
        check_entries(entries, "ChangeMessageVisibilityBatchRequestEntry")
        return await _each(
            entries,
            # Not a required member here; SDKs leave out a zero.
            lambda entry: _read_change(queue, entry, entry.get("VisibilityTimeout") or 0),
            lambda changes: self._change(queue, changes),
        )

    def _queue(self, context: RequestContext, params: Mapping[str, Any]) -> Queue:
        return self._messages.directory.of_url_nowait(context, params.get("QueueUrl") or "")

    async def _delete(self, queue: Queue, receipts: Sequence[Receipt]) -> _Results:
        now_ms = self._messages.now_ms()
        if queue.is_fifo:
            return await self._messages.store.tx(
                lambda conn: [_delete_in_order(conn, each, now_ms) for each in receipts]
            )
        await self._messages.store.tx(lambda conn: delete_by_receipts(conn, queue.id, receipts))
        return [None] * len(receipts)

    async def _change(self, queue: Queue, changes: Sequence[tuple[Receipt, int]]) -> _Results:
        now_ms = self._messages.now_ms()
        return await self._messages.store.tx(
            lambda conn: [
                _change_one(conn, queue, receipt, visibility_s, now_ms)
                for receipt, visibility_s in changes
            ]
        )


def _delete_in_order(conn: Connection, receipt: Receipt, now_ms: int) -> AwsError | None:
    row = find(conn, receipt)
    if row is None:
        return None
    if not _is_current(row, receipt, now_ms):
        return _expired(receipt)
    delete_row(conn, row)
    settle_group(conn, receipt.queue_id, row["group_id"], row["id"])
    return None


def _change_one(
    conn: Connection, queue: Queue, receipt: Receipt, visibility_s: int, now_ms: int
) -> AwsError | None:
    row = find(conn, receipt)
    if row is None:
        return invalid_for_parameter(
            receipt.handle(),
            "ReceiptHandle",
            "Message does not exist or is not available for visibility timeout change.",
        )
    if queue.is_fifo and not _is_current(row, receipt, now_ms):
        return _expired(receipt)
    if row["visible_at_ms"] <= now_ms:
        return AwsError("MessageNotInflight", "The specified message isn't in flight.")
    visible_at_ms = now_ms + visibility_s * 1000
    if visible_at_ms > receipt.received_at_ms + limits.VISIBILITY_S_MAX * 1000:
        return invalid_for_parameter(
            visibility_s,
            "VisibilityTimeout",
            "Total VisibilityTimeout for the message is beyond the limit "
            f"[{limits.VISIBILITY_S_MAX} seconds]",
        )
    conn.execute(Q.set_visible_at, {"id": row["id"], "visible_at_ms": visible_at_ms})
    if queue.is_fifo:
        settle_group(conn, queue.id, row["group_id"], row["id"])
    elif visible_at_ms < row["visible_at_ms"]:
        ring(conn, queue.id, 1, row["id"])
    return None


def _is_current(row: Row, receipt: Receipt, now_ms: int) -> bool:
    return row["receive_count"] == receipt.receive_count and row["visible_at_ms"] > now_ms


def _expired(receipt: Receipt) -> AwsError:
    return invalid_for_parameter(
        receipt.handle(), "ReceiptHandle", "The receipt handle has expired."
    )


def _handle(params: Mapping[str, Any]) -> str:
    handle = params.get("ReceiptHandle") or ""
    if not handle:
        raise missing_parameter("ReceiptHandle")
    return handle


def _read_change(
    queue: Queue, params: Mapping[str, Any], visibility_s: int | None
) -> tuple[Receipt, int]:
    if visibility_s is None:
        raise missing_parameter("VisibilityTimeout")
    check_visibility(visibility_s)
    return read_handle(_handle(params), queue.id), visibility_s


async def _each(
    entries: Sequence[Mapping[str, Any]],
    read: Callable[[Mapping[str, Any]], T],
    carry_out: Callable[[list[T]], Awaitable[_Results]],
) -> dict[str, Any]:
    """Read the entries of a batch, carry out those that can be read, and report on all."""
    good: list[tuple[str, T]] = []
    lost: list[dict[str, Any]] = []
    for entry in entries:
        try:
            good.append((entry["Id"], read(entry)))
        except AwsError as error:
            lost.append(failed(entry["Id"], error))
    results = await carry_out([each for _, each in good]) if good else []
    done: list[dict[str, Any]] = []
    for (entry_id, _), error in zip(good, results, strict=True):
        if error is None:
            done.append({"Id": entry_id})
        else:
            lost.append(failed(entry_id, error))
    return outcome(done, lost)


def _raise_first(results: _Results) -> None:
    if results[0] is not None:
        raise results[0]

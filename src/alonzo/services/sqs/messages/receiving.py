"""ReceiveMessage: claiming, waiting for messages, and asking once more for the same ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.sqs.errors import invalid_for_parameter, no_queue
from alonzo.services.sqs.messages import limits
from alonzo.services.sqs.messages.claims import Ask, Claim
from alonzo.services.sqs.messages.core import Messages
from alonzo.services.sqs.messages.documents import receipt_of, shown, system_names
from alonzo.services.sqs.messages.entries import check_id
from alonzo.services.sqs.messages.receipts import Receipt
from alonzo.services.sqs.queue import Queue

#: Receives of FIFO queues that are remembered for those who ask again; the oldest go first.
_ATTEMPTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What a receive with a ReceiveRequestAttemptId got."""

    at_ms: int
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class _Wish:
    """The parameters of one receive, checked."""

    messages_max: int
    visibility_s: int
    wait_s: int
    attempt_id: str | None


class ReceivingOperations:
    """The one operation that gives messages out."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._attempts: OrderedDict[tuple[int, str], _Attempt] = OrderedDict()

    async def receive_message(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """Claim some messages; waits for the first one as long as is wished."""
        queue = self._messages.directory.of_url_nowait(context, params.get("QueueUrl") or "")
        system = system_names(params)
        own = params.get("MessageAttributeNames") or ()
        wish = _read_wish(queue, params)
        claim, at_ms = await self._claim(queue, wish)
        found: list[dict[str, Any]] = []
        receipts: list[Receipt] = []
        rows: Sequence[Mapping[str, Any]] = claim.rows
        if self._messages.bodies is not None:
            rows = await self._messages.bodies.open(context, rows)
        for row in rows:
            receipt = receipt_of(queue, row, at_ms)
            receipts.append(receipt)
            found.append(shown(queue, row, receipt, system=system, own=own))
        if wish.attempt_id is not None and receipts:
            self._remember(queue, wish.attempt_id, _Attempt(at_ms, tuple(receipts)))
        return {"Messages": found} if found else {}

    async def _claim(self, queue: Queue, wish: _Wish) -> tuple[Claim, int]:
        """What there is, and when it was claimed."""
        messages, waiting = self._messages, self._messages.waiting
        if wish.attempt_id is not None:
            again = await self._claim_again(queue, wish)
            if again is not None:
                return again
        ends_at_s = messages.clock.monotonic_s() + wish.wait_s
        while True:
            ask = self._ask(queue, wish)
            if not waiting.is_quiet_nowait(queue.id, ask.now_ms):
                claim = await self._try_claim(ask)
                if claim.rows:
                    return claim, ask.now_ms
            left_s = ends_at_s - messages.clock.monotonic_s()
            if left_s <= 0:
                return Claim(), ask.now_ms
            # It may have changed, or gone, since the last look.
            now = messages.directory.of_id_nowait(queue.id)
            if now is None:
                raise no_queue()
            queue = now
            if not await waiting.wait(queue.id, wish.messages_max, left_s):
                return Claim(), ask.now_ms

    async def _try_claim(self, ask: Ask) -> Claim:
        messages, queue_id = self._messages, ask.queue.id
        generation = messages.waiting.generation(queue_id)
        try:
            claim = await messages.store.tx(lambda conn: messages.claims.claim(conn, ask))
        except BaseException:
            # It may have been woken for a message that is still there.
            messages.waiting.pass_on(queue_id)
            raise
        if len(claim.rows) == ask.messages_max:
            messages.waiting.pass_on(queue_id)
        else:
            messages.waiting.note(queue_id, generation, claim.next_ms)
        return claim

    async def _claim_again(self, queue: Queue, wish: _Wish) -> tuple[Claim, int] | None:
        """What an earlier receive of that attempt id got, if that is still its own."""
        assert wish.attempt_id is not None
        ask = self._ask(queue, wish)
        earlier = self._attempts.get((queue.id, wish.attempt_id))
        if earlier is None or earlier.at_ms + limits.DEDUPLICATION_MS <= ask.now_ms:
            return None
        claims = self._messages.claims
        claim = await self._messages.store.tx(
            lambda conn: claims.claim_again(conn, ask, earlier.receipts)
        )
        # The time of the first receive stays: handles are the same, and their twelve hours.
        return None if claim is None else (claim, earlier.at_ms)

    def _ask(self, queue: Queue, wish: _Wish) -> Ask:
        return Ask(
            queue=queue,
            dead_letters=self._messages.dead_letters_nowait(queue),
            messages_max=wish.messages_max,
            visibility_ms=wish.visibility_s * 1000,
            now_ms=self._messages.now_ms(),
        )

    def _remember(self, queue: Queue, attempt_id: str, attempt: _Attempt) -> None:
        self._attempts[queue.id, attempt_id] = attempt
        while len(self._attempts) > _ATTEMPTS_MAX:
            self._attempts.popitem(last=False)


def _read_wish(queue: Queue, params: Mapping[str, Any]) -> _Wish:
    messages_max = params.get("MaxNumberOfMessages")
    messages_max = 1 if messages_max is None else messages_max
    if not 1 <= messages_max <= limits.BATCH_MAX:
        raise invalid_for_parameter(
            messages_max,
            "MaxNumberOfMessages",
            f"Must be between 1 and {limits.BATCH_MAX}, if provided.",
        )
    wait_s = params.get("WaitTimeSeconds")
    wait_s = queue.receive_wait_s if wait_s is None else wait_s
    if not 0 <= wait_s <= limits.WAIT_S_MAX:
        raise invalid_for_parameter(
            wait_s, "WaitTimeSeconds", f"Must be >= 0 and <= {limits.WAIT_S_MAX}, if provided."
        )
    visibility_s = params.get("VisibilityTimeout")
    visibility_s = queue.visibility_s if visibility_s is None else visibility_s
    check_visibility(visibility_s)
    attempt_id = params.get("ReceiveRequestAttemptId")
    if attempt_id is not None:
        if not queue.is_fifo:
            raise invalid_for_parameter(
                attempt_id,
                "ReceiveRequestAttemptId",
                "The request includes a parameter that is not valid for this queue type.",
            )
        check_id("ReceiveRequestAttemptId", attempt_id)
    return _Wish(messages_max, visibility_s, wait_s, attempt_id)


def check_visibility(visibility_s: int) -> None:
    """Refuse a visibility timeout out of its range.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if not 0 <= visibility_s <= limits.VISIBILITY_S_MAX:
        raise invalid_for_parameter(
            visibility_s,
            "VisibilityTimeout",
            f"Must be between 0 and {limits.VISIBILITY_S_MAX}, if provided.",
        )

"""What a queue of SQS should do, small enough to be read: a model to compare a real one with.

Times are whole seconds of the test's clock. Nothing here is fast, stored or shared. Which of
several messages comes first is part of the model only where it is part of the promise: inside a
message group. Else it follows what the platform does: those that have been visible for the longest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

#: As long as a FIFO queue knows a deduplication id.
WINDOW_S = 300

#: The order of sending, over all queues.
_PLACES = itertools.count(1)


@dataclass(eq=False)
class ModelMessage:
    """One message. ``place`` is its place in the order of sending."""

    message_id: str
    body: str
    place: int
    sent_at_s: int
    visible_at_s: int
    group: str = ""
    receives: int = 0
    earlier_receives: int = 0
    source: str | None = None

    def in_flight(self, now_s: int) -> bool:
        """Whether it was received, and its timeout is not over."""
        return self.receives > 0 and self.visible_at_s > now_s


@dataclass
class ModelQueue:
    """One queue. ``receives_max`` counts where there is a ``dead_letters``."""

    name: str
    is_fifo: bool = False
    retention_s: int = 345_600
    delay_s: int = 0
    scope_is_group: bool = False
    receives_max: int = 0
    dead_letters: ModelQueue | None = None
    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    known: dict[tuple[str, str], tuple[str, int]] = field(
        default_factory=dict[tuple[str, str], tuple[str, int]]
    )
    #: When each group that has messages got its first one, in the order of sending.
    groups: dict[str, int] = field(default_factory=dict[str, int])

    def duplicate_of(self, group: str, deduplication_id: str, now_s: int) -> str | None:
        """The id of the message that another one would repeat, or None."""
        scope = group if self.scope_is_group else ""
        message_id, expires_at_s = self.known.get((scope, deduplication_id), ("", 0))
        return message_id if expires_at_s > now_s else None

    def send(
        self,
        message_id: str,
        body: str,
        now_s: int,
        *,
        delay_s: int | None = None,
        group: str = "",
        deduplication_id: str = "",
    ) -> None:
        """Take a message that is no duplicate."""
        if self.is_fifo:
            scope = group if self.scope_is_group else ""
            self.known[scope, deduplication_id] = (message_id, now_s + WINDOW_S)
        visible_at_s = now_s + (self.delay_s if delay_s is None else delay_s)
        place = next(_PLACES)
        self.enter(ModelMessage(message_id, body, place, now_s, visible_at_s, group))

    def receive(self, messages_max: int, visibility_s: int, now_s: int) -> list[ModelMessage]:
        """What a receive answers, in order."""
        taken: list[ModelMessage] = []
        if self.is_fifo:
            groups = sorted(self._ready(now_s), key=self._turn)
            for group in groups if visibility_s else groups[:messages_max]:
                if len(taken) < messages_max:
                    self._take(taken, self._front(group, now_s), messages_max, visibility_s, now_s)
            return taken
        visible = sorted(
            (one for one in self.messages if one.visible_at_s <= now_s),
            key=lambda one: (one.visible_at_s, one.place),
        )
        if not visibility_s:
            visible = visible[:messages_max]
        self._take(taken, visible, messages_max, visibility_s, now_s)
        return sorted(taken, key=lambda one: one.place)

    def find(self, message_id: str) -> ModelMessage | None:
        """The message of that id, if it is in this queue."""
        return next((one for one in self.messages if one.message_id == message_id), None)

    def remove(self, message: ModelMessage) -> None:
        """Delete a message, by a consumer or by time."""
        self.messages.remove(message)
        if all(one.group != message.group for one in self.messages):
            self.groups.pop(message.group, None)

    def purge(self) -> None:
        """Delete everything."""
        self.messages.clear()
        self.groups.clear()

    def move_oldest(self, to: ModelQueue, count: int, now_s: int) -> list[ModelMessage]:
        """Have a task move messages; a group in order, and none that is blocked.

        They are new messages; their ids are for the caller to learn.
        """
        moved: list[ModelMessage] = []
        while len(moved) < count:
            ready = self._ready(now_s)
            offered = sorted(
                (one for one in self.messages if one.visible_at_s <= now_s and one.group in ready),
                key=lambda one: (one.visible_at_s, one.place),
            )
            if offered and self.is_fifo:
                offered = self._front(offered[0].group, now_s)
            if not offered:
                break
            for one in offered[: count - len(moved)]:
                self.remove(one)
                new = ModelMessage("", one.body, next(_PLACES), now_s, now_s, one.group)
                to.enter(new)
                moved.append(new)
        return moved

    def sweep(self, now_s: int) -> None:
        """Delete what nobody has received for the retention period."""
        for one in list(self.messages):
            if one.visible_at_s <= now_s - self.retention_s:
                self.remove(one)

    def counts(self, now_s: int) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        in_flight = sum(one.in_flight(now_s) for one in self.messages)
        visible = sum(one.visible_at_s <= now_s for one in self.messages)
        return visible, in_flight, len(self.messages) - visible - in_flight

    def blocked(self, group: str, now_s: int) -> bool:
        """Whether nothing of a group may be received."""
        return group not in self._ready(now_s)

    def enter(self, message: ModelMessage) -> None:
        """Have a message, the last of its group."""
        self.messages.append(message)
        self.groups.setdefault(message.group, next(_PLACES))

    def _members(self, group: str) -> list[ModelMessage]:
        return [one for one in self.messages if one.group == group]

    def _ready_at(self, group: str) -> int:
        members = self._members(group)
        return max(one.visible_at_s for one in members if one.receives or one is members[0])

    def _ready(self, now_s: int) -> list[str]:
        return [group for group in self.groups if self._ready_at(group) <= now_s]

    def _turn(self, group: str) -> tuple[int, int]:
        return self._ready_at(group), self.groups[group]

    def _front(self, group: str, now_s: int) -> list[ModelMessage]:
        members = self._members(group)
        return list(itertools.takewhile(lambda one: one.visible_at_s <= now_s, members))

    def _take(
        self,
        taken: list[ModelMessage],
        offered: Iterable[ModelMessage],
        messages_max: int,
        visibility_s: int,
        now_s: int,
    ) -> None:
        for one in offered:
            if len(taken) == messages_max:
                return
            if one.sent_at_s <= now_s - self.retention_s:
                self.remove(one)
            elif self.dead_letters is not None and one.receives >= self.receives_max:
                self._bury(one, now_s)
            else:
                one.receives += 1
                one.visible_at_s = now_s + visibility_s
                taken.append(one)

    def _bury(self, one: ModelMessage, now_s: int) -> None:
        assert self.dead_letters is not None
        self.remove(one)
        one.earlier_receives += one.receives
        one.receives = 0
        one.source = self.name
        if self.is_fifo:
            one.sent_at_s, one.place = now_s, next(_PLACES)
        one.visible_at_s = one.sent_at_s
        self.dead_letters.enter(one)

"""A queue in memory behind ``RoleCalls``: as much of SQS as the poller calls, in its own words."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alonzo.model.deliveries import RoleUse, ServiceCall
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvokeRequest


@dataclass(slots=True)
class _Message:
    id: str
    body: str
    group: str | None
    attributes: dict[str, str]
    visible_at_s: float = 0.0
    receipt: str = ""
    receives: int = 0


@dataclass(slots=True)
class MemoryQueue:
    """One queue. ``trouble`` is raised by every call while it is set.

    ``visibility_s``: how long a message is hidden; ``shown_visibility_s``: what its attributes say.
    """

    fifo: bool = False
    visibility_s: float = 30.0
    shown_visibility_s: int | None = None
    trouble: AwsError | None = None
    refused_deletes: int = 0
    calls: list[str] = field(default_factory=list[str])
    _messages: list[_Message] = field(default_factory=list[_Message])
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, body: str, group: str | None = None, **attributes: str) -> str:
        """Send a message; answers its id."""
        message_id = f"m-{next(self._numbers)}"
        if group is not None:
            attributes["MessageGroupId"] = group
        self._messages.append(_Message(message_id, body, group, attributes))
        self._changed.set()
        return message_id

    def left(self) -> list[str]:
        """The bodies of the messages that are in it, hidden or not."""
        return [message.body for message in self._messages]

    def show_all(self) -> None:
        """As if every visibility timeout were over."""
        for message in self._messages:
            message.visible_at_s = 0.0
        self._changed.set()

    # RoleCalls.

    def offers(self, service: str) -> bool:
        """SQS is all there is."""
        return service == "sqs"

    async def authorize(self, call: ServiceCall, use: RoleUse) -> None:
        """Whatever is called may be."""
        self._check()

    async def authorize_invoke(self, request: InvokeRequest, use: RoleUse) -> InvokeRequest:
        """Whatever is called may be."""
        return request

    async def find(self, call: ServiceCall, use: RoleUse) -> bool:
        """The queue is there."""
        return self.trouble is None

    async def call(self, call: ServiceCall, use: RoleUse) -> Mapping[str, Any] | None:
        """The operations that a poller calls."""
        self.calls.append(call.operation)
        self._check()
        return await getattr(self, f"_{call.operation}")(call.params)

    def _check(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    async def _GetQueueAttributes(self, params: dict[str, Any]) -> dict[str, Any]:
        shown = self.shown_visibility_s
        return {
            "Attributes": {
                "VisibilityTimeout": str(int(self.visibility_s) if shown is None else shown)
            }
        }

    async def _ReceiveMessage(self, params: dict[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + params["WaitTimeSeconds"]
        while not (found := self._claim(params["MaxNumberOfMessages"])):
            self._changed.clear()
            left_s = deadline_s - loop.time()
            if left_s <= 0:
                return {}
            try:
                async with asyncio.timeout(min(left_s, 0.02)):
                    await self._changed.wait()
            except TimeoutError:
                self._check()
        return {"Messages": [self._shown(message) for message in found]}

    async def _DeleteMessageBatch(self, params: dict[str, Any]) -> dict[str, Any]:
        if self.refused_deletes > 0:
            self.refused_deletes -= 1
            failed = [{"Id": each["Id"], "SenderFault": False} for each in params["Entries"]]
            return {"Failed": failed}
        assert len(params["Entries"]) <= 10
        gone = {each["ReceiptHandle"] for each in params["Entries"]}
        self._messages = [each for each in self._messages if each.receipt not in gone]
        self._changed.set()
        return {"Successful": [{"Id": each["Id"]} for each in params["Entries"]]}

    def _claim(self, most: int) -> list[_Message]:
        now_s = asyncio.get_running_loop().time()
        hidden = {m.group for m in self._messages if m.visible_at_s > now_s} - {None}
        found: list[_Message] = []
        for message in self._messages:
            if len(found) < most and message.visible_at_s <= now_s:
                if self.fifo and message.group in hidden:
                    continue
                found.append(message)
        for message in found:
            message.visible_at_s = now_s + self.visibility_s
            message.receives += 1
            message.receipt = f"{message.id}/{message.receives}"
        return found

    def _shown(self, message: _Message) -> dict[str, Any]:
        return {
            "MessageId": message.id,
            "ReceiptHandle": message.receipt,
            "Body": message.body,
            "MD5OfBody": "0" * 32,
            "Attributes": {
                **message.attributes,
                "ApproximateReceiveCount": str(message.receives),
                "SentTimestamp": "1795168800000",
            },
        }

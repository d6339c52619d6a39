"""PutEvents and TestEventPattern.

PutEvents answers after the commit that holds what all its events' targets get. An entry that
cannot be taken fails alone, and says why.

Source: API reference, PutEvents, TestEventPattern; texts as recorded from AWS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from alonzo.lib.event_patterns import read_document
from alonzo.model.context import RequestContext
from alonzo.model.errors import validation
from alonzo.services.events.arns import bus_arn
from alonzo.services.events.directory import Directory
from alonzo.services.events.documents import envelope, render
from alonzo.services.events.errors import invalid, not_supported
from alonzo.services.events.intake import Intake
from alonzo.services.events.limits import ENTRIES_BYTES_MAX, TIME_BYTES
from alonzo.services.events.patterns import read_pattern
from alonzo.services.events.routing import Arrival
from alonzo.services.events.sized import run_sized

Answer = Mapping[str, Any]

_REQUIRED = ("Source", "DetailType", "Detail")
#: What an event must have for TestEventPattern.
_MANDATORY = ("id", "account", "source", "time", "region", "resources", "detail-type")
#: Sources that services of AWS alone may name.
_RESERVED = "aws."


class _EntryError(Exception):
    """An entry that is not taken."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = {"ErrorCode": code, "ErrorMessage": message}


class PublishOperations:
    """Operations by their names in the service model."""

    def __init__(self, directory: Directory, intake: Intake) -> None:
        self._directory = directory
        self._intake = intake

    async def put_events(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """PutEvents."""
        if params.get("EndpointId"):
            raise not_supported("EndpointId", "there are no global endpoints.")
        entries: Sequence[Mapping[str, Any]] = params["Entries"]
        n_bytes = sum(map(_size_of, entries))
        if n_bytes > ENTRIES_BYTES_MAX:
            raise validation("Total size of the entries in the request is over the limit.")
        arrivals, answers = await run_sized(n_bytes, lambda: self._read(context, entries))
        await self._intake.take(arrivals)
        return {"FailedEntryCount": len(entries) - len(arrivals), "Entries": answers}

    def _read(
        self, context: RequestContext, entries: Sequence[Mapping[str, Any]]
    ) -> tuple[list[Arrival], list[dict[str, str]]]:
        """The events that are taken, and what is said of each entry."""
        arrivals: list[Arrival] = []
        answers: list[dict[str, str]] = []
        for entry in entries:
            try:
                arrival = self._arrival(context, entry)
            except _EntryError as error:
                answers.append(error.answer)
            else:
                arrivals.append(arrival)
                answers.append({"EventId": arrival.event["id"]})
        return arrivals, answers

    async def test_event_pattern(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """TestEventPattern."""
        pattern = read_pattern(params["EventPattern"])
        text: str = params["Event"]
        return {"Result": await run_sized(len(text), lambda: pattern.matches(_event(text)))}

    def _arrival(self, context: RequestContext, entry: Mapping[str, Any]) -> Arrival:
        for name in _REQUIRED:
            if not entry.get(name):
                raise _EntryError(
                    "InvalidArgument",
                    f"Parameter {name} is not valid. Reason: {name} is a required argument.",
                )
        if entry["Source"].startswith(_RESERVED) and not context.principal.service:
            raise _EntryError("NotAuthorizedForSourceException", "Not authorized for the source.")
        now_s = self._directory.clock.now_s()
        event_at_s = entry["Time"].timestamp() if entry.get("Time") else now_s
        try:
            event = envelope(
                event_id=self._directory.ids.uuid(),
                source=entry["Source"],
                detail_type=entry["DetailType"],
                account=context.account,
                region=context.region,
                at_s=event_at_s,
                resources=entry.get("Resources") or (),
                detail=_detail(entry["Detail"]),
            )
            text = render(event)
        except (ValueError, OverflowError, OSError) as error:
            raise _EntryError("MalformedDetail", "Detail is malformed.") from error
        return Arrival(
            bus_arn(context, entry.get("EventBusName")),
            event,
            text,
            now_s,
            float(math.floor(event_at_s)),
            entry.get("TraceHeader") or context.trace_header,
        )


def _event(text: str) -> dict[str, Any]:
    """An event that somebody has written down."""
    try:
        event = read_document(text)
    except ValueError as error:
        raise invalid("Event", "This is not JSON.") from error
    if not isinstance(event, dict):
        raise invalid("Event", "It must be an object.")
    for name in _MANDATORY:
        if name not in event:
            raise invalid("Event", f"{name} is a required field.")
    return cast("dict[str, Any]", event)


def _detail(text: str) -> Any:
    detail = read_document(text)
    if not isinstance(detail, dict):
        raise _EntryError("MalformedDetail", "Detail is malformed.")
    return cast("dict[str, Any]", detail)


def _size_of(entry: Mapping[str, Any]) -> int:
    """What an entry counts for. Source: user guide, calculating the size of an entry."""
    texts = [entry.get(name) or "" for name in _REQUIRED] + list(entry.get("Resources") or ())
    n_bytes = sum(len(str(each).encode("utf-8", "replace")) for each in texts)
    return n_bytes + (TIME_BYTES if entry.get("Time") else 0)

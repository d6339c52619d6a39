"""The Extensions API over HTTP: requests to the roster, events to whoever waits for one.

Source: Lambda developer guide, Extensions API; error texts from the runtime interface emulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import orjson

from alonzo.environments.api_server import NOT_FOUND, wrong_method
from alonzo.environments.extensions.machine import Event
from alonzo.environments.extensions.rules import (
    Extension,
    RefusedError,
    Roster,
    parse_registration,
)
from alonzo.environments.runtime_connection import BODY_BYTES_FREE, Connection, Route
from alonzo.lib.ids import IdSource

#: The date of this API.
DATE = "2020-01-01"

_ACCEPTED = b'{"status":"OK"}\n'
_JSON = ("Content-Type", "application/json")


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """What an extension is told of the function when it registers."""

    name: str
    version: str
    handler: str
    account: str


class ExtensionsApi:
    """The routes below ``/2020-01-01/``. ``changed`` is called after each request that counted."""

    def __init__(
        self, roster: Roster, about: FunctionFacts, ids: IdSource, changed: Callable[[], None]
    ) -> None:
        self._roster = roster
        self._about = about
        self._ids = ids
        self._changed = changed
        self._waiting: dict[Extension, Connection] = {}
        self._routes = {
            "extension/register": ("POST", self._route(self._register, BODY_BYTES_FREE)),
            "extension/event/next": ("GET", self._route(self._next)),
            "extension/init/error": ("POST", self._route(partial(self._error, Event.INIT_ERROR))),
            "extension/exit/error": ("POST", self._route(partial(self._error, Event.EXIT_ERROR))),
        }

    def _route(self, run: Callable[[Connection], None], body_bytes_max: int = 0) -> Route:
        def answered(connection: Connection) -> None:
            try:
                run(connection)
            except RefusedError as refused:
                connection.refuse(refused.status, refused.error_type, refused.message)
            else:
                self._changed()

        return Route(answered, body_bytes_max)

    # Api

    def route(self, method: bytes, path: str) -> Route:
        """Decide from its first line what a request may do."""
        known = self._routes.get(path)
        if known is None:
            return NOT_FOUND
        wanted, route = known
        return route if method == wanted.encode() else wrong_method(wanted)

    def left(self, connection: Connection) -> None:
        """A connection is gone, and does not wait any more."""
        for extension, waiting in list(self._waiting.items()):
            if waiting is connection:
                del self._waiting[extension]
                extension.waits = False

    # The environment's side

    def give(self, extension: Extension, document: Mapping[str, object]) -> None:
        """Hand an event to an extension that is ready, now or at its next ``next``."""
        event = (self._ids.uuid(), orjson.dumps(document))
        self._roster.give(extension, event)
        connection = self._waiting.pop(extension, None)
        extension.waits = False
        if connection is not None and _deliver(connection, event):
            extension.event = None

    # The operations

    def _register(self, connection: Connection) -> None:
        name = connection.header("lambda-extension-name") or ""
        if not name:
            raise RefusedError("Extension.InvalidExtensionName", "Empty extension name")
        if connection.too_large:
            message = f"Exceeded maximum allowed payload size ({BODY_BYTES_FREE} bytes)."
            raise RefusedError("RequestEntityTooLarge", message, status=413)
        events = parse_registration(connection.body() or b"")
        extension = self._roster.register(name, events, self._ids.uuid())
        about = self._about
        document = {
            "functionName": about.name,
            "functionVersion": about.version,
            "handler": about.handler,
        }
        features = (connection.header("lambda-extension-accept-feature") or "").split(",")
        if "accountId" in [feature.strip() for feature in features]:
            document["accountId"] = about.account
        headers = (_JSON, ("Lambda-Extension-Identifier", extension.identifier))
        connection.answer(200, orjson.dumps(document), headers)

    def _next(self, connection: Connection) -> None:
        extension = self._find(connection)
        event = self._roster.next(extension)
        if event is not None:
            if not _deliver(connection, event):
                extension.event = event
            return
        extension.waits = True
        self._waiting[extension] = connection

    def _error(self, kind: Event, connection: Connection) -> None:
        extension = self._find(connection)
        stated = connection.header("lambda-extension-function-error-type")
        self._roster.report_error(extension, kind, stated)
        connection.answer(202, _ACCEPTED)

    def _find(self, connection: Connection) -> Extension:
        return self._roster.find(connection.header("lambda-extension-identifier"))


def _deliver(connection: Connection, event: tuple[str, bytes]) -> bool:
    identifier, document = event
    headers = (_JSON, ("Lambda-Extension-Event-Identifier", identifier))
    return connection.answer(200, document, headers)

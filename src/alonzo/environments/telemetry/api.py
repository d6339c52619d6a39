"""The Telemetry API and the old Logs API over HTTP: one route each.

Source: Lambda developer guide, Telemetry API; error texts from the runtime interface emulator.
"""

from __future__ import annotations

from collections.abc import Callable

from alonzo.environments.api_server import NOT_FOUND, wrong_method
from alonzo.environments.extensions.rules import RefusedError, Roster
from alonzo.environments.runtime_connection import BODY_BYTES_FREE, Connection, Route
from alonzo.environments.telemetry.hub import Telemetry
from alonzo.environments.telemetry.subscription import (
    InvalidSubscriptionError,
    Kind,
    Subscription,
    parse_subscription,
)

#: The date and the path of each API.
DATES = {Kind.TELEMETRY: "2022-07-01", Kind.LOGS: "2020-08-15"}
_PATHS = {Kind.TELEMETRY: "telemetry", Kind.LOGS: "logs"}

#: Told of each subscription: the extension's name, to what, and whether it had subscribed before.
OnSubscribed = Callable[[str, Subscription, bool], None]


class TelemetryApi:
    """The route below the date of one of the two APIs."""

    def __init__(
        self, kind: Kind, roster: Roster, telemetry: Telemetry, subscribed: OnSubscribed
    ) -> None:
        self._kind = kind
        self._roster = roster
        self._telemetry = telemetry
        self._subscribed = subscribed

    def route(self, method: bytes, path: str) -> Route:
        """Decide from its first line what a request may do."""
        if path != _PATHS[self._kind]:
            return NOT_FOUND
        return _put(self) if method == b"PUT" else wrong_method("PUT")

    def left(self, connection: Connection) -> None:
        """A connection is gone; none ever waits here."""

    def subscribe(self, connection: Connection) -> None:
        """``PUT telemetry`` or ``PUT logs``."""
        try:
            self._subscribe(connection)
        except RefusedError as refused:
            connection.refuse(refused.status, refused.error_type, refused.message)
        else:
            connection.answer(200, b'"OK"')

    def _subscribe(self, connection: Connection) -> None:
        name = self._roster.find(connection.header("lambda-extension-identifier")).name
        api = self._kind.value
        if not self._telemetry.is_open:
            message = f"{api} API subscription is closed already"
            raise RefusedError(f"{api}.ServiceClosed", message)
        if connection.too_large:
            message = f"Exceeded maximum allowed payload size ({BODY_BYTES_FREE} bytes)."
            raise RefusedError("RequestEntityTooLarge", message, status=413)
        try:
            subscription = parse_subscription(self._kind, connection.body() or b"")
        except InvalidSubscriptionError as err:
            raise RefusedError("ValidationError", str(err), status=400) from err
        before = self._telemetry.subscription_of(name)
        if before is not None and before.kind is not self._kind:
            message = f"the extension has subscribed to the {before.kind.value} API"
            raise RefusedError("ValidationError", message, status=400)
        self._subscribed(name, subscription, before is not None)
        self._telemetry.subscribe(name, subscription)


def _put(api: TelemetryApi) -> Route:
    return Route(api.subscribe, BODY_BYTES_FREE)

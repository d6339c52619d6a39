"""The metadata endpoint: where its environment is, for every process inside.

``GET http://$AWS_LAMBDA_METADATA_API/2026-01-15/metadata/execution-environment``, with the token of
``AWS_LAMBDA_METADATA_TOKEN``. It is served on the port of the Runtime API.

Source: Lambda developer guide, metadata endpoint.
"""

from __future__ import annotations

import hmac
import json
import re

from alonzo.environments.api_server import NOT_FOUND, refusal
from alonzo.environments.runtime_connection import Connection, Route

#: The date of this API.
DATE = "2026-01-15"

_PATH = "metadata/execution-environment"
_HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "private, max-age=43200, immutable"),
)
_UNAUTHORIZED = ("Unauthorized", "Invalid or missing token")
_WRONG_METHOD = refusal(405, "MethodNotAllowed", "the method is GET")

#: Compass points inside the name of a region, as the ids of its zones shorten them.
_POINT = re.compile("north|south|east|west|central|gov")


def zone_id(region: str) -> str:
    """The id of the one zone that a region has here: ``use1-az1`` for ``us-east-1``."""
    first, *others = region.split("-")
    short = "".join("".join(point[0] for point in _POINT.findall(part)) or part for part in others)
    return f"{first}{short}-az1"


def metadata_variables(address: str, token: str) -> dict[str, str]:
    """How the processes inside find it. ``address`` is host and port."""
    return {"AWS_LAMBDA_METADATA_API": address, "AWS_LAMBDA_METADATA_TOKEN": token}


class MetadataApi:
    """The routes below ``/2026-01-15/``, for who knows the token."""

    def __init__(self, region: str, token: str) -> None:
        self._region = region
        self._wanted = f"Bearer {token}".encode()
        self._route = Route(self._answer)

    def route(self, method: bytes, path: str) -> Route:
        """Decide from its first line what a request may do."""
        if path != _PATH:
            return NOT_FOUND
        return self._route if method == b"GET" else _WRONG_METHOD

    def left(self, connection: Connection) -> None:
        """A connection is gone; nobody waits here."""

    def _answer(self, connection: Connection) -> None:
        given = connection.header("authorization") or ""
        if hmac.compare_digest(given.encode(), self._wanted):
            document = {"AvailabilityZoneID": zone_id(self._region)}
            connection.answer(200, json.dumps(document, separators=(",", ":")).encode(), _HEADERS)
        else:
            connection.refuse(401, *_UNAUTHORIZED)

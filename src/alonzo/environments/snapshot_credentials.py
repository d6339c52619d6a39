"""Credentials over HTTP for functions with SnapStart, whose variables outlive any key.

The SDKs ask ``AWS_CONTAINER_CREDENTIALS_FULL_URI`` with the token of
``AWS_CONTAINER_AUTHORIZATION_TOKEN``, and again before what they got expires.
"""

from __future__ import annotations

import json

from alonzo.environments.api_server import NOT_FOUND, refusal, wrong_method
from alonzo.environments.runtime_connection import Connection, Route
from alonzo.environments.surroundings import Surroundings
from alonzo.lib.clock import iso_ms
from alonzo.model.context import Principal
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.identity import AccessKey

#: A session lasts so long, and is handed out for the first half of it.
_SESSION_S = 3600


class CredentialsApi:
    """Answers the processes of one environment."""

    def __init__(self, version: ServingVersion, around: Surroundings, token: str) -> None:
        self._version = version
        self._around = around
        self._token = token
        self._key: AccessKey | None = None
        self._issued_at_s = 0.0

    @staticmethod
    def nobody() -> AccessKey:
        """A key that is none: what a template's variables are made with, and lose again."""
        return AccessKey("", "", Principal("", "", "", ""))

    def route(self, method: bytes, path: str) -> Route:
        """Decide from its first line what a request may do."""
        if path:
            return NOT_FOUND
        return Route(self._answer) if method == b"GET" else wrong_method("GET")

    def left(self, connection: Connection) -> None:
        """Nobody waits here."""

    def _answer(self, connection: Connection) -> None:
        if connection.header("authorization") != self._token:
            refusal(403, "AccessDenied", "the token is not this environment's").run(connection)
            return
        now_s = self._around.clock.now_s()
        if self._key is None or now_s - self._issued_at_s > _SESSION_S / 2:
            self._issued_at_s = now_s
            self._key = self._around.credentials.issue(
                role_arn=self._version.role,
                function_arn=self._version.key.arn,
                duration_s=_SESSION_S,
            )
        document = {
            "AccessKeyId": self._key.access_key_id,
            "SecretAccessKey": self._key.secret_access_key,
            "Token": self._key.session_token,
            "Expiration": iso_ms(self._issued_at_s + _SESSION_S),
        }
        connection.answer(200, json.dumps(document).encode())

"""The Parameters and Secrets extension: parameters and secrets over HTTP inside one environment.

It calls Parameter Store and Secrets Manager as the function's role and keeps what they answer for a
while. It is served by the daemon on a socket that listens inside, so it costs functions that do not
ask for it nothing, and those that do no process.

What a request must show is the session token of the environment: so nobody can have a function
fetch a secret by making it request a URL. A request that was forwarded is refused for the same
reason.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections import OrderedDict
from collections.abc import Mapping

from alonzo.environments.api_server import NOT_FOUND, ApiServer, forget_waiting, wrong_method
from alonzo.environments.parameters_rules import (
    BadQueryError,
    Question,
    is_known,
    port_of,
    read_question,
    read_settings,
    refused,
    rendered,
)
from alonzo.environments.runtime_connection import Connection, Route
from alonzo.environments.surroundings import Surroundings
from alonzo.model.deliveries import RoleUse
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.sandbox.base import Sandbox

log = logging.getLogger("alonzo.environments")

#: Bytes of answers kept for one environment. The layer keeps them in the function's own memory.
CACHE_BYTES_MAX = 1 << 20

#: A call takes no longer, whatever the settings say.
_CALL_S_MAX = 60.0

_TOKEN_HEADERS = ("x-aws-parameters-secrets-token", "x-vault-token")
#: The variables that hold the token, the usual one first: functions with SnapStart have the other.
_TOKENS = ("AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN")


class ParametersExtension(ApiServer):
    """Serves one generation of processes."""

    def __init__(self, version: ServingVersion, around: Surroundings) -> None:
        super().__init__()
        self._version = version
        self._around = around
        self._settings = read_settings(version.environment)
        self._turn = asyncio.Semaphore(self._settings.connections)
        self._kept: OrderedDict[tuple[object, ...], tuple[float, bytes]] = OrderedDict()
        self._kept_bytes = 0
        self._token = ""
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def wanted(cls, version: ServingVersion, around: Surroundings) -> ParametersExtension | None:
        """One for the version, if it asks for one."""
        return None if port_of(version) is None else cls(version, around)

    async def open(self, sandbox: Sandbox, variables: Mapping[str, str]) -> None:
        """Begin to answer. ``variables`` are those of the runtime process."""
        self._token = next((variables[name] for name in _TOKENS if variables.get(name)), "")
        listening = sandbox.listeners.get(port_of(self._version) or 0)
        if listening is not None:
            forget_waiting(listening)
            await self.serve(listening)

    def close(self) -> None:
        """Stop serving, and making calls. Safe to call twice."""
        super().close()
        for task in self._tasks:
            task.cancel()
        self._kept.clear()

    def route(self, method: bytes, target: bytes) -> Route:
        """Decide from its first line what a request may do."""
        path, _, query = target.partition(b"?")
        if not is_known(path):
            return NOT_FOUND
        if method != b"GET":
            return wrong_method("GET")
        return Route(lambda connection: self._ask(connection, path, query))

    def _ask(self, connection: Connection, path: bytes, query: bytes) -> None:
        if connection.header("x-forwarded-for") is not None:
            connection.refuse(400, "BadRequest", "a request that was forwarded is not answered")
            return
        shown = next((text for name in _TOKEN_HEADERS if (text := connection.header(name))), "")
        if not self._token or not hmac.compare_digest(
            shown.encode("latin-1"), self._token.encode()
        ):
            connection.refuse(
                401, "Unauthorized", "the header X-Aws-Parameters-Secrets-Token has no valid token"
            )
            return
        try:
            question = read_question(path, query)
        except BadQueryError as error:
            connection.refuse(400, "BadRequest", str(error))
            return
        kept = None if question.fresh else self._find(question)
        if kept is not None:
            connection.answer(200, kept)
            return
        task = self._around.scope.spawn(self._answer(connection, question), name="parameters")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, question: Question) -> None:
        call, calls = question.call, self._around.calls
        status, body = 500, b'{"errorType":"InternalError","errorMessage":"try again"}'
        try:
            async with self._turn, asyncio.timeout(self._limit_s(call.service)):
                assert calls is not None
                result = await calls.call(call, self._use())
            body = rendered(call.operation, result or {})
            status = 200
            self._keep(question, body)
        except AwsError as error:
            status, body = 400, refused(error)
        except TimeoutError:
            body = b'{"errorType":"Timeout","errorMessage":"the service did not answer in time"}'
        except Exception:
            log.exception("environment.parameters_failed", extra={"function": self._version.arn})
        finally:
            connection.answer(status, body)

    def _limit_s(self, service: str) -> float:
        return min(self._settings.timeout_s[service] or _CALL_S_MAX, _CALL_S_MAX)

    def _use(self) -> RoleUse:
        key = self._version.key
        return RoleUse(key, self._version.role, key.region, self._around.ids.uuid())

    def _find(self, question: Question) -> bytes | None:
        found = self._kept.get(question.key)
        if found is None:
            return None
        until_s, body = found
        if self._around.clock.monotonic_s() >= until_s:
            self._drop(question.key)
            return None
        self._kept.move_to_end(question.key)
        return body

    def _keep(self, question: Question, body: bytes) -> None:
        ttl_s = self._settings.ttl_s[question.call.service]
        self._drop(question.key)
        if not ttl_s or not self._settings.cache_size or len(body) > CACHE_BYTES_MAX:
            return
        self._kept[question.key] = (self._around.clock.monotonic_s() + ttl_s, body)
        self._kept_bytes += len(body)
        while len(self._kept) > self._settings.cache_size or self._kept_bytes > CACHE_BYTES_MAX:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[object, ...]) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept_bytes -= len(found[1])

"""Requests that are for no service: function URLs, routes of the platform, pages of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from alonzo.edge.answers import bare_error
from alonzo.edge.call import Call
from alonzo.edge.door import Door
from alonzo.edge.function_urls.server import FunctionUrlServer
from alonzo.edge.hosts import Host, HostRules
from alonzo.edge.http1.incoming import BodyTooLargeError
from alonzo.edge.http1.response import Response
from alonzo.edge.route import Route
from alonzo.edge.sigv4.refusals import AuthFailure
from alonzo.model.function_urls import PATH_PREFIX
from alonzo.model.http import HttpResponse

_URL_PREFIX = PATH_PREFIX.encode()

#: Of nearly every request; a member of an enumeration takes longer to look up.
_PLAIN = Host.PLAIN


class Beside:
    """Answers what is for no service, and refuses what a web page may have sent."""

    def __init__(
        self,
        door: Door,
        *,
        account: str,
        routes: Sequence[Route],
        function_urls: FunctionUrlServer | None,
        hosts: HostRules | None,
        body_bytes_max: int,
    ) -> None:
        """``account`` is the platform's own; see ``EdgeApp`` for ``hosts``."""
        self._door = door
        self._account = account
        self._routes = tuple(routes)
        self._function_urls = function_urls
        self._hosts = hosts
        self._asks_pages = hosts is not None and not door.is_locked
        self._body_bytes_max = body_bytes_max
        # One look for all of them: hardly a request is for a route.
        self._prefixes = (*(route.prefix for route in routes), _URL_PREFIX)

    def may_answer(self, call: Call, host: Host) -> bool:
        """Whether ``answer`` must be asked."""
        return (
            self._asks_pages or host is not _PLAIN or call.head.raw_path.startswith(self._prefixes)
        )

    def answer(self, call: Call, host: Host) -> Awaitable[Response | None] | None:
        """The answer to a request that is for no service; None: it is for one."""
        text = self._refusal_of_page(call, host)
        if text is not None:
            return _refuse(call, 403, "AccessDeniedException", text)
        path = call.head.raw_path
        urls = self._function_urls
        if urls is not None and (host is Host.URL or path.startswith(_URL_PREFIX)):
            return urls.serve(call.incoming, call.request_id)
        if host is Host.NONE:
            text = "The request must have exactly one valid Host header."
            return _refuse(call, 400, "BadRequest", text)
        route = next((route for route in self._routes if route.matches(path)), None)
        return None if route is None else self._serve(route, call)

    def _refusal_of_page(self, call: Call, host: Host) -> str | None:
        """Why this may come from a web page of somebody else; None: it does not.

        Who signs has signed the host, and there are no browsers in sandboxes.
        """
        hosts, head, path = self._hosts, call.head, call.head.raw_path
        if hosts is None or call.incoming.place or host is Host.NONE:
            return None
        if self._asks_pages:
            is_url = host is Host.URL or path.startswith(_URL_PREFIX)
            return hosts.refusal(head) or (None if is_url else hosts.refusal_of_page(head))
        is_open = not any(each.for_root and each.matches(path) for each in self._routes)
        return hosts.refusal(head) if host is _PLAIN and is_open else None

    async def _serve(self, route: Route, call: Call) -> Response:
        return call.response(await self._answer_of(route, call))

    async def _answer_of(self, route: Route, call: Call) -> HttpResponse:
        if not route.takes(call.head.method):
            return bare_error(
                call.request, 405, "MethodNotAllowed", f"Use {route.method} for this path."
            )
        try:
            await call.read_body(self._body_bytes_max)
        except BodyTooLargeError as large:
            return bare_error(
                call.request,
                413,
                "RequestEntityTooLargeException",
                f"Request must be smaller than {large.bytes_max} bytes",
            )
        if route.for_root and (refusal := await self._refusal_of_stranger(call)) is not None:
            return bare_error(call.request, 403, "AccessDeniedException", refusal)
        return await route.handler(call.request)

    async def _refusal_of_stranger(self, call: Call) -> str | None:
        """Why the request does not come from the account's root user; None: it does."""
        door = self._door
        try:
            claim = door.read_claim(call.head)
            key = door.find_key(claim)
            principal, _ = door.admit(call.head, call.body, claim, key, None)
        except AuthFailure as failure:
            await asyncio.sleep(door.penalty_s(failure, call.incoming))
            return failure.text
        if principal.is_root and principal.account == self._account:
            return None
        return "Only the root user of the platform's own account may see this."


async def _refuse(call: Call, status: int, code: str, text: str) -> Response:
    return call.response(bare_error(call.request, status, code, text))

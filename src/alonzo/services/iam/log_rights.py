"""Whether a function's role may write the function's log. Implements ``ports.LogRights``.

The platform writes the log, but in the role's name, as Lambda does on AWS: without
``logs:CreateLogStream`` and ``logs:PutLogEvents`` nothing is written, and the daemon's log says so
once for each role and group.
"""

from __future__ import annotations

import asyncio
import logging

from alonzo.model.access import Access
from alonzo.model.arns import FunctionKey
from alonzo.model.context import RequestContext, Session
from alonzo.model.ports.logs import LogPermit, LogStream
from alonzo.services.iam.authorizer import KEPT_MAX, Authorizer
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.keys import assumed_role

log = logging.getLogger("alonzo.iam")

#: Whence Lambda calls, as policies see it.
_SOURCE_IP = "127.0.0.1"
_NOTHING = LogPermit(group=False, stream=False, events=False)


class RoleLogRights:
    """Asks the policies of roles, and remembers what they say until one changes."""

    def __init__(self, authorizer: Authorizer, identities: Identities) -> None:
        self._authorizer = authorizer
        self._identities = identities
        self._permits: dict[LogStream, LogPermit] = {}
        self._made_in = (-1, -1)
        self._said: set[tuple[str, str]] = set()

    async def permit(self, stream: LogStream) -> LogPermit:
        """What the stream's role may do."""
        made_in = self._authorizer.generation
        if made_in != self._made_in:
            self._permits.clear()
            self._made_in = made_in
        known = self._permits.get(stream)
        if known is not None:
            return known
        # Many may be asked about at once, and none of it waits for anything.
        await asyncio.sleep(0)
        permit, lasts = await self._find_out(stream)
        if not permit.events or not permit.stream:
            self._say(stream)
        if lasts and made_in == self._authorizer.generation:
            if len(self._permits) >= KEPT_MAX:
                self._permits.clear()
            self._permits[stream] = permit
        return permit

    async def _find_out(self, stream: LogStream) -> tuple[LogPermit, bool]:
        # Source: Lambda developer guide, source function ARN: calls that store logs carry it, too.
        function = FunctionKey(stream.account, stream.region, stream.function_name)
        session = Session(
            stream.function_name,
            self._identities.clock.now_s(),
            role_arn=stream.role_arn,
            function_arn=function.arn,
        )
        try:
            principal = assumed_role(session, "", self._identities.unique_id(stream.role_arn))
        except ValueError:
            return _NOTHING, True
        context = RequestContext("", stream.account, stream.region, principal, "", _SOURCE_IP)
        group = f"arn:aws:logs:{stream.region}:{stream.account}:log-group:{stream.group}:log-stream"
        answers = [
            await self._authorizer.allows(context, access)
            for access in (
                Access("logs:CreateLogGroup", f"{group}:"),
                Access("logs:CreateLogStream", f"{group}:{stream.name}"),
                Access("logs:PutLogEvents", f"{group}:{stream.name}"),
            )
        ]
        return LogPermit(*(allowed for allowed, _ in answers)), all(lasts for _, lasts in answers)

    def _say(self, stream: LogStream) -> None:
        key = (stream.role_arn, stream.group)
        if key in self._said:
            return
        if len(self._said) >= KEPT_MAX:
            self._said.clear()
        self._said.add(key)
        log.warning("iam.no_log", extra={"role": stream.role_arn, "group": stream.group})

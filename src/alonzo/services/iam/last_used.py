"""When keys and roles were last used. Noted in memory, written now and then.

A platform that ends without warning loses the notes of the last minute at most. AWS shows such
data hours late.
"""

from __future__ import annotations

import logging
from functools import partial

from alonzo.lib.periodic import every
from alonzo.model.context import Principal
from alonzo.services.iam import records
from alonzo.services.iam.identities import Identities, used_document
from alonzo.services.iam.records import Kind, Q
from alonzo.store.base import Connection

log = logging.getLogger("alonzo.iam")

WRITTEN_EVERY_S = 60.0
#: Notes kept until they are written; more are let go.
NOTES_MAX = 10_000


class LastUsed:
    """Takes notes of who was here."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._keys: dict[str, tuple[str, str, float]] = {}
        self._roles: dict[str, tuple[str, float]] = {}

    def note_nowait(self, principal: Principal, service: str, region: str) -> None:
        """Note one request. Those of the root user and of services are not noted."""
        if principal.is_root or principal.service:
            return
        now_s = self._identities.clock.now_s()
        session = principal.session
        if session is None:
            if len(self._keys) < NOTES_MAX:
                self._keys[principal.access_key_id] = (service, region, now_s)
        elif session.role_arn is not None and len(self._roles) < NOTES_MAX:
            self._roles[principal.identity_id] = (region, now_s)

    async def run(self) -> None:
        """Write the notes, for ever."""
        await every(
            WRITTEN_EVERY_S,
            self.write,
            on_error=partial(log.exception, "iam.last_used_not_written"),
            after_a_period=True,
        )

    async def write(self) -> None:
        """Write the notes down. What cannot be written is let go: it will be noted again."""
        keys, roles = self._keys, self._roles
        self._keys, self._roles = {}, {}
        if not keys and not roles:
            return

        def work(conn: Connection) -> None:
            for key_id, (service, region, at_s) in keys.items():
                document = used_document(service, region, at_s)
                conn.execute(Q.set_key_used, {"id": key_id, "last_used": document})
            for unique_id, (region, at_s) in roles.items():
                role = records.try_find_by_id(conn, unique_id)
                if role is not None and role.kind is Kind.ROLE:
                    used = {"region": region, "at_s": at_s}
                    records.save(conn, role.changed(last_used=used))

        await self._identities.write(work)

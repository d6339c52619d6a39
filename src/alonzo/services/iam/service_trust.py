"""Whether a role lets a service in. Implements ``ports.RoleTrust``.

Source: IAM user guide, the confused deputy problem; EventBridge Scheduler user guide, confused
deputy prevention.
"""

from __future__ import annotations

from typing import Literal

from alonzo.lib.policies import principals
from alonzo.lib.policies.compiled import Request
from alonzo.lib.policies.evaluation import Policies, evaluate
from alonzo.services.iam import managed, records
from alonzo.services.iam.identities import Identities
from alonzo.store.base import Connection


class ServiceTrust:
    """Asks the trust policies of roles, as they are now; in soft mode every role lets in."""

    def __init__(self, identities: Identities, mode: Literal["strict", "soft"]) -> None:
        self._identities = identities
        self._soft = mode == "soft"

    async def lets_in(self, role_arn: str, service: str, *, account: str, source_arn: str) -> bool:
        """Whether a service may use a role for something of an account."""
        # Accounts stay apart, whatever is made of policies.
        if role_arn.split(":")[4:5] != [account]:
            return False
        if self._soft:
            return True
        unique_id = self._identities.unique_id(role_arn)
        context = {"aws:sourceaccount": account, "aws:sourcearn": source_arn}
        return unique_id is not None and await self._identities.read(
            lambda conn: _lets_in(conn, unique_id, service, context)
        )


def _lets_in(conn: Connection, unique_id: str, service: str, context: dict[str, str]) -> bool:
    role = records.try_find_by_id(conn, unique_id)
    if role is None:
        return False
    trust = managed.ready(role.document["trust"], role.arn)
    caller = principals.service(service)
    request = Request("sts:AssumeRole", role.arn, caller, role.account, context)
    return evaluate(request, Policies(resource=trust)).allowed

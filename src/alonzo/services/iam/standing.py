"""What policies know of a caller, for those who ask them beside the authorizer: function URLs."""

from __future__ import annotations

from typing import Literal

from alonzo.lib.policies.compiled import compile_policy
from alonzo.lib.policies.evaluation import Policies
from alonzo.model.context import Principal
from alonzo.model.ports.invoking import Standing
from alonzo.services.iam.authority import policies_of
from alonzo.services.iam.identities import Identities

_EVERYTHING = compile_policy(
    {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, "everything"
)


async def standing_of(
    identities: Identities, mode: Literal["strict", "lenient", "soft"], principal: Principal
) -> Standing:
    """The caller's policies and tags; neither for the root user.

    Whom the authorizer would let do everything in that mode, may: roles that IAM never knew in the
    lenient one, everybody in the soft one.
    """
    if principal.is_root:
        return Standing(Policies(), {})
    identity_id = identities.identity_of(principal)
    if mode == "soft" or (mode == "lenient" and identity_id is None):
        return Standing(Policies(identity=(_EVERYTHING,)), {})
    holdings = None if identity_id is None else await identities.holdings(identity_id)
    policies = await policies_of(identities, principal)
    return Standing(policies, {} if holdings is None else holdings.tags)

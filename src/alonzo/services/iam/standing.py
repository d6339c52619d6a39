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
    identities: Identities, mode: Literal["strict", "soft"], principal: Principal
) -> Standing:
    """The caller's policies and tags; neither for the root user.

    In soft mode everybody may do everything, as with the authorizer.
    """
    if principal.is_root:
        return Standing(Policies(), {})
    if mode == "soft":
        return Standing(Policies(identity=(_EVERYTHING,)), {})
    identity_id = identities.identity_of(principal)
    holdings = None if identity_id is None else await identities.holdings(identity_id)
    policies = await policies_of(identities, principal)
    return Standing(policies, {} if holdings is None else holdings.tags)

"""The operations of Secrets Manager's service model that are not here, each with the reason."""

from __future__ import annotations

_MISSING = {
    "Secrets are not replicated to other regions or accounts.": (
        "AssociateCrossAccountReplica",
        "DisassociateCrossAccountReplica",
        "RemoveRegionsFromReplication",
        "ReplicateSecretToRegions",
        "StopReplicationToReplica",
    ),
    "Each secret has one resource policy, which GetResourcePolicy answers.": (
        "ListResourcePolicies",
    ),
}

#: Operations of the service model that are not implemented, and why.
UNSUPPORTED = {name: reason for reason, names in _MISSING.items() for name in names}

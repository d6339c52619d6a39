"""Resource-based policies of all services. Implements ``ports.ResourcePolicies``."""

from __future__ import annotations

from collections.abc import Mapping

from alonzo.lib.policies.compiled import Policy
from alonzo.model.ports.identity import ResourcePolicies


class PoliciesByService:
    """Asks the service that an ARN belongs to. Resources of other services have no policy."""

    def __init__(self, services: Mapping[str, ResourcePolicies]) -> None:
        """``services`` are by the name in their ARNs."""
        self._services = services

    @property
    def generation(self) -> int:
        """Grows with every change of any policy."""
        return sum(each.generation for each in self._services.values())

    async def find(self, arn: str) -> Policy | None:
        """The policy of what the ARN names, or None if it has none."""
        parts = arn.split(":", 3)
        service = self._services.get(parts[2]) if len(parts) > 3 else None
        return None if service is None else await service.find(arn)

"""Lambda, and the services that it cannot do without: they are always there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alonzo.control import access as lambda_access
from alonzo.control.functions import ControlPlane
from alonzo.invoke.operations import operations as invoke_operations
from alonzo.model.access import AccessRules
from alonzo.model.ports.identity import Federation, Sessions
from alonzo.model.ports.invoking import Invoker
from alonzo.model.ports.operations import Operations
from alonzo.services.iam import access as iam_access
from alonzo.services.iam import api as iam_api
from alonzo.services.iam.identities import Identities
from alonzo.services.sts import access as sts_access
from alonzo.services.sts import api as sts_api


@dataclass(frozen=True, slots=True)
class CoreServices:
    """The parts of the services."""

    control: ControlPlane
    invoker: Invoker
    identities: Identities
    sessions: Sessions
    federation: Federation

    def operations(self) -> Mapping[str, Operations]:
        """The operations of each service."""
        return {
            "lambda": {**self.control.operations, **invoke_operations(self.invoker)},
            "iam": iam_api.operations(self.identities),
            "sts": sts_api.operations(self.sessions, self.federation),
        }

    def access(self) -> Mapping[str, AccessRules]:
        """What the operations of each service need to be allowed."""
        return {
            "lambda": lambda_access.access_rules(),
            "iam": iam_access.access_rules(self.identities),
            "sts": sts_access.access_rules(),
        }

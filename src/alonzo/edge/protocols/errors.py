"""What the service models know of an error, looked up once per code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alonzo.edge import models
from alonzo.model.service_models import ServiceModel, StructureShape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alonzo.model.errors import AwsError


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """How one error looks on the wire, in any protocol.

    ``name`` is the shape's; ``query_code`` the code in the query and XML protocols, and in
    ``x-amzn-query-error``. ``shape`` is None where no model declares the code.
    """

    name: str
    query_code: str
    status: int
    sender_fault: bool
    shape: StructureShape | None

    @property
    def fault(self) -> str:
        """Whose fault it is, in the words of the query protocol."""
        return "Sender" if self.sender_fault else "Receiver"

    def extra_members(self, error: AwsError) -> dict[str, Any]:
        """The shape's members for the body, by the model's names, save the message."""
        if self.shape is None:
            return {}
        given = error.members
        if "Type" in self.shape.members:
            given = {"Type": "User" if self.sender_fault else "Service", **given}
        return {
            name: given[name]
            for name, member in self.shape.members.items()
            if given.get(name) is not None
            and "location" not in member.serialization
            and name.lower() != "message"
        }

    def body_members(self, error: AwsError) -> dict[str, Any]:
        """All members for the body, by the model's names.

        Without a shape that is the message, and whatever the raiser gave.
        """
        if self.shape is None:
            return {**error.members, "message": error.message}
        names = [name for name in self.shape.members if name.lower() == "message"]
        return self.extra_members(error) | dict.fromkeys(names, error.message)

    def headers(self, error: AwsError) -> dict[str, str]:
        """Extra headers: those of header members, then those that the raiser gave."""
        members = self.shape.members if self.shape is not None else {}
        found = {
            member.serialization.get("name", name): str(error.members[name])
            for name, member in members.items()
            if member.serialization.get("location") == "header"
            and error.members.get(name) is not None
        }
        return found | error.headers


class ErrorIndex:
    """The error shapes of one service, by shape name and by code."""

    def __init__(self, service: ServiceModel) -> None:
        self._service = service
        self._shapes: dict[str, StructureShape] | None = None
        self._query_codes = models.QUERY_ERROR_CODES.get(service.service_name, {})

    def facts(self, error: AwsError) -> ErrorFacts:
        """The facts of an error; for a code that no model declares, the plain ones."""
        if self._shapes is None:
            self._shapes = _error_shapes(self._service)
        shape = self._shapes.get(error.code)
        if shape is None:
            return ErrorFacts(
                name=error.code,
                query_code=self._query_codes.get(error.code, error.code),
                status=error.status or 400,
                sender_fault=(error.status or 400) < 500,
                shape=None,
            )
        trait: Mapping[str, Any] = shape.metadata.get("error", {})
        status = int(
            trait.get("httpStatusCode") or error.status or (500 if shape.is_our_fault else 400)
        )
        return ErrorFacts(
            name=shape.name,
            query_code=self._query_codes.get(shape.name) or trait.get("code") or shape.name,
            status=status,
            sender_fault=bool(trait.get("senderFault", status < 500)),
            shape=shape,
        )


def _error_shapes(service: ServiceModel) -> dict[str, StructureShape]:
    shapes = service.error_shapes
    by_code = {str(shape.error_code): shape for shape in shapes}
    # A shape's own name wins over the same word used as another shape's code.
    return by_code | {shape.name: shape for shape in shapes}

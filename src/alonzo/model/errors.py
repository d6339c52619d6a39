"""Errors that a client may see.

One class carries them all: the service models say which status, message key and fault belong to a
code, so the edge looks those up and nobody repeats them here. A code that the models do not know
(``ValidationException``, ``AccessDeniedException``, …) brings its own status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """An error in AWS's own terms, to be rendered by the edge in the protocol of the request.

    ``code`` is the error's shape name as AWS spells it. ``status`` is needed only where no service
    model declares the code. ``members`` are further members of the error shape (``Reason``), and
    ``headers`` extra response headers (``Retry-After``).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})
        self.headers = dict(headers or {})


def invalid_parameter(message: str) -> AwsError:
    """Lambda's second layer of validation. Source: Lambda API, InvalidParameterValueException."""
    return AwsError("InvalidParameterValueException", message, members={"Type": "User"})


def validation(message: str) -> AwsError:
    """The framework's own validation, before the service sees the request; not in the models."""
    return AwsError("ValidationException", message, status=400)


def not_found(message: str) -> AwsError:
    """Source: ResourceNotFoundException (404 in Lambda, 400 in CloudWatch Logs)."""
    return AwsError("ResourceNotFoundException", message)


def conflict(message: str) -> AwsError:
    """Source: Lambda API, ResourceConflictException (409)."""
    return AwsError("ResourceConflictException", message)


def access_denied(message: str) -> AwsError:
    """Not modelled by Lambda; 403 in every service that has it."""
    return AwsError("AccessDeniedException", message, status=403)


class PlatformError(Exception):
    """A failure of the platform itself, not of the client's request. The edge answers 500."""

"""What an initialisation that failed looks like, to the log and to the caller. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from alonzo.environments import errors
from alonzo.environments.home import NO_ENTRYPOINT
from alonzo.environments.signals import Failed, InitFailed, Lost, Ready, Signal, Stopped
from alonzo.sandbox.base import SandboxError

TIMEOUT = "Sandbox.Timedout"

#: More of a function's own words is no reason to be shown with its configuration.
_TEXT_CHARS_MAX = 2048


class EnvironmentStoppedError(SandboxError):
    """The environment was ended from outside while it worked; nothing is known of the attempt."""


@dataclass(frozen=True, slots=True)
class InitFailure:
    """Why an init failed. ``document`` is the runtime's own, ``message`` the platform's."""

    error_type: str
    document: bytes = b""
    message: str = ""

    @property
    def text(self) -> str:
        """What went wrong, in words: the runtime's own if it has said something."""
        try:
            message: Any = json.loads(self.document)["errorMessage"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return self.message or self.error_type
        # A function's own words: they may be any number, and no text.
        return str(message)[:_TEXT_CHARS_MAX].encode("utf-8", "replace").decode()

    def as_document(self, request_id: str, timeout_s: float) -> bytes:
        """What the caller is told, if it failed inside an invoke of that timeout."""
        if self.error_type == TIMEOUT:
            return errors.timeout_document(request_id, timeout_s)
        if self.document:
            return self.document
        return errors.error_document(self.error_type, self.message, request_id)


class InitFailedError(Exception):
    """An environment that had to initialise could not."""

    def __init__(self, failure: InitFailure) -> None:
        super().__init__(f"{failure.error_type}: {failure.text}")
        self.failure = failure


def init_failure(signal: Signal) -> InitFailure | None:
    """What the signal that ended an init says of it; None: it is done.

    Raises:
        EnvironmentStoppedError: it was ended from outside.
    """
    match signal:
        case Ready():
            return None
        case InitFailed(reply) if reply.error_type == NO_ENTRYPOINT:
            return InitFailure(NO_ENTRYPOINT, message=reply.payload.decode())
        case InitFailed(reply):
            return InitFailure(errors.clean_error_type(reply.error_type), reply.payload)
        case Lost(status):
            error_type, message = errors.describe_exit(status)
            return InitFailure(error_type, message=message)
        case Failed(error_type, message):
            return InitFailure(error_type, message=message)
        case Stopped():
            raise EnvironmentStoppedError("the environment was stopped during init")
        case _:
            return InitFailure(TIMEOUT)


def end_reason(error_type: str | None) -> str:
    """Why processes end that failed so, as extensions are told."""
    return "timeout" if error_type == TIMEOUT else "failure"

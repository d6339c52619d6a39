"""Who is registered, who is waited for, and what ends an environment: decisions, and no I/O.

A ``Roster`` holds the extensions of one generation of processes. A request that AWS refuses raises
``RefusedError``, which has AWS's error type and text.

Source: Lambda developer guide, Extensions API; texts from the runtime interface emulator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from alonzo.environments.extensions.machine import Event, NotAllowedError, State, step
from alonzo.model.limits import SHUTDOWN_EXTERNAL_S, SHUTDOWN_INTERNAL_S

#: Extensions of one environment, external and internal together.
EXTENSIONS_MAX = 10

INVOKE = "INVOKE"
SHUTDOWN = "SHUTDOWN"

#: What an environment's end may take, in seconds, with no extension. Of the time that there is with
#: an external one a share is the runtime's, which ends first.
SHUTDOWN_NONE_S = 0.0
RUNTIME_SHARE = 0.3

_TAKES_EVENTS = (State.REGISTERED, State.READY, State.RUNNING)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class RefusedError(Exception):
    """A request that the platform does not grant, with the answer that it gets."""

    def __init__(self, error_type: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an extension ends its environment's init or invoke."""

    error_type: str
    message: str


@dataclass(slots=True, eq=False)
class Extension:
    """One extension. ``event`` is one that it has still to be given, with its identifier.

    ``waits``: a connection of it is open that waits for an event.
    """

    name: str
    external: bool
    identifier: str = ""
    state: State = State.STARTED
    events: tuple[str, ...] = ()
    error_type: str | None = None
    event: tuple[str, bytes] | None = None
    waits: bool = False

    def step(self, event: Event) -> None:
        """Take an event; ``NotAllowedError`` if it may not happen now."""
        self.state = step(self.state, event)


class Roster:
    """The extensions of one generation. ``external`` are the base names of the executables.

    The times are those of an environment's end, in seconds, with internal ones only and with an
    external one.
    """

    def __init__(
        self,
        external: Sequence[str] = (),
        *,
        internal_s: float = SHUTDOWN_INTERNAL_S,
        external_s: float = SHUTDOWN_EXTERNAL_S,
    ) -> None:
        self._internal_s, self._external_s = internal_s, external_s
        self._by_name = {name: Extension(name, external=True) for name in external}
        self._by_id: dict[str, Extension] = {}
        self._closed = False
        self._shutting_down = False
        self._first_fatal: str | None = None

    def __iter__(self) -> Iterator[Extension]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def by_name(self) -> Mapping[str, Extension]:
        """All of them; the mapping stays the same one."""
        return self._by_name

    # What the environment asks

    @property
    def all_registered(self) -> bool:
        """Whether the runtime may start: every external extension has registered."""
        return all(extension.identifier for extension in self if extension.external)

    @property
    def all_wait(self) -> bool:
        """Whether every extension waits for its next event; init and invoke end only then."""
        extensions = self._by_name.values()
        return not extensions or all(each.state is State.READY for each in extensions)

    @property
    def shutdown_s(self) -> float:
        """How long the end of the environment may take."""
        if not self._by_name:
            return SHUTDOWN_NONE_S
        return self._external_s if self._has_external else self._internal_s

    @property
    def _has_external(self) -> bool:
        return any(extension.external for extension in self)

    @property
    def runtime_shutdown_s(self) -> float:
        """How much of that the runtime may take."""
        return self.shutdown_s * (RUNTIME_SHARE if self._has_external else 1)

    def runtime_waits(self) -> bool:
        """The runtime waits, so that nobody registers any more. Whether all others wait, too."""
        self._closed = True
        return not self._by_name or self.all_wait

    def receivers(self, event: str) -> list[Extension]:
        """Those that asked for such events and may still take one."""
        return [
            extension
            for extension in self
            if event in extension.events and extension.state in _TAKES_EVENTS
        ]

    def give(self, extension: Extension, event: tuple[str, bytes]) -> None:
        """Have an event for an extension, its identifier and its document, now or at its ``next``.

        It is at work from then on; one that is busy still gets it in place of what comes next.
        """
        if extension.state is State.READY:
            extension.step(Event.DELIVER)
        extension.event = event

    def begin_shutdown(self) -> None:
        """From now on the end of a process is no failure."""
        self._shutting_down = True

    # What extensions ask

    def register(self, name: str, events: Sequence[str], identifier: str) -> Extension:
        """``POST register``. Raises ``RefusedError``."""
        if not name:
            raise RefusedError("Extension.InvalidExtensionName", "Empty extension name")
        extension = self._by_name.get(name)
        external = extension is not None and extension.external
        _check_events(events, external=external)
        if not external:
            self._check_internal(extension)
            extension = Extension(name, external=False)
        assert extension is not None
        _request(extension, Event.REGISTER, State.REGISTERED, subject=name)
        extension.identifier = identifier
        extension.events = tuple(dict.fromkeys(events))
        self._by_name[name] = self._by_id[identifier] = extension
        return extension

    def _check_internal(self, known: Extension | None) -> None:
        if self._closed:
            message = "Extension registration closed already"
            raise RefusedError("Extension.RegistrationClosed", message)
        if len(self._by_name) >= EXTENSIONS_MAX:
            message = f"Extension limit ({EXTENSIONS_MAX}) reached"
            raise RefusedError("Extension.TooManyExtensions", message)
        if known is not None:
            message = "Extension with this name already registered"
            raise RefusedError("Extension.InvalidExtensionState", message)

    def find(self, identifier: str | None) -> Extension:
        """Whose request it is, by its header. Raises ``RefusedError``."""
        if not identifier:
            message = "Missing Lambda-Extension-Identifier header"
            raise RefusedError("Extension.MissingExtensionIdentifier", message)
        identifier = identifier.lower()
        if not _UUID.fullmatch(identifier):
            message = "Invalid Lambda-Extension-Identifier"
            raise RefusedError("Extension.InvalidExtensionIdentifier", message)
        extension = self._by_id.get(identifier)
        if extension is None:
            message = f"Unknown extension {identifier}"
            raise RefusedError("Extension.UnknownExtensionIdentifier", message)
        return extension

    def next(self, extension: Extension) -> tuple[str, bytes] | None:
        """``GET event/next``: the event that waits for it; None: it waits. Or ``RefusedError``."""
        state, given = extension.state, extension.event
        again = (state is State.RUNNING and given is not None) or (
            state is State.READY and not extension.waits
        )
        event = Event.RENEW if again else Event.NEXT
        _request(extension, event, State.READY, subject=extension.identifier)
        if given is not None and extension.state is State.READY:
            extension.step(Event.DELIVER)
        extension.event = None
        return given

    def report_error(self, extension: Extension, kind: Event, error_type: str | None) -> None:
        """``POST init/error`` or ``exit/error``. Only the first word counts. ``RefusedError``."""
        if not error_type:
            message = "Lambda-Extension-Function-Error-Type not found"
            raise RefusedError("Extension.MissingHeader", message)
        to = State.INIT_ERROR if kind is Event.INIT_ERROR else State.EXIT_ERROR
        already = extension.state is to
        _request(extension, kind, to, subject=extension.identifier)
        extension.waits = False
        if not already:
            extension.error_type = error_type
        self._note_fatal("Extension.InitError" if to is State.INIT_ERROR else "Extension.ExitError")

    # What processes do

    def launch_failed(self, name: str, *, error_type: str, message: str) -> Failure:
        """An executable could not be started."""
        extension = self._by_name[name]
        extension.step(Event.LAUNCH_ERROR)
        extension.waits = False
        extension.error_type = error_type
        self._note_fatal("Extension.LaunchError")
        return Failure("Extension.LaunchError", message)

    def exited(self, name: str, how: str, *, cleanly: bool) -> Failure | None:
        """A process has ended. Answers why its environment fails, unless it was to end."""
        extension = self._by_name[name]
        extension.waits = False
        failed = self._shutting_down and not cleanly
        extension.step(Event.SHUTDOWN_FAILED if failed else Event.EXIT)
        if self._shutting_down:
            return None
        self._note_fatal("Extension.Crash")
        assert self._first_fatal is not None
        return Failure(self._first_fatal, how)

    def _note_fatal(self, error_type: str) -> None:
        if self._first_fatal is None:
            self._first_fatal = error_type


def _request(extension: Extension, event: Event, to: State, *, subject: str) -> None:
    was = extension.state
    try:
        extension.step(event)
    except NotAllowedError as err:
        raise RefusedError(
            "Extension.InvalidExtensionState",
            f"State transition from {was} to {to} failed for extension {subject}. "
            "Error: State transition is not allowed",
        ) from err


def _check_events(events: Sequence[str], *, external: bool) -> None:
    for event in events:
        if event == SHUTDOWN and not external:
            why = "ShutdownEventNotSupportedForInternalExtension"
        elif event in (INVOKE, SHUTDOWN):
            continue
        else:
            why = "ErrorInvalidEventType"
        raise RefusedError("Extension.InvalidEventType", f"{event}: {why}")


#: How many events a registration may list; there are two kinds.
_EVENTS_LISTED_MAX = 100


def parse_registration(body: bytes) -> tuple[str, ...]:
    """The events of a registration, ``{"events": [...]}``. Raises ``RefusedError``."""
    if not body.strip():
        raise RefusedError("InvalidRequestFormat", "unexpected end of JSON input")
    try:
        document: Any = orjson.loads(body)
    except ValueError as err:
        raise RefusedError("InvalidRequestFormat", f"invalid JSON: {err}") from err
    if not isinstance(document, dict):
        raise RefusedError("InvalidRequestFormat", "the body is no JSON object")
    members = cast("dict[str, Any]", document)
    if members.get("configurationKeys"):
        message = "configurationKeys are deprecated; use environment variables instead"
        raise RefusedError("InvalidRequestFormat", message)
    events: Any = members.get("events")
    if events is None:
        return ()
    if not isinstance(events, list) or len(cast("list[Any]", events)) > _EVENTS_LISTED_MAX:
        raise RefusedError("InvalidRequestFormat", "events is no list of event types")
    listed = cast("list[Any]", events)
    if not all(isinstance(event, str) for event in listed):
        raise RefusedError("InvalidRequestFormat", "events is no list of event types")
    return tuple(listed)

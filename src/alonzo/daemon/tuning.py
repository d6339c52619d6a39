"""Settings by name: what ``alonzo serve --set NAME=VALUE`` changes, and what each one means.

A name is the path to a field of ``Config``. AWS's quotas are the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, get_type_hints

from alonzo.daemon.config import Config, ConfigError

#: Every setting with what it means. Sizes are in what the name ends with.
MEANINGS: Mapping[str, str] = {
    "auditing.file_bytes_max": "A file of the audit log is closed when it is that large.",
    "auditing.file_age_s_max": "A file of the audit log is closed when it is that old.",
    "auditing.keep_days": "Closed files of the audit log go after so many days.",
    "auditing.bytes_max": "Closed files of the audit log together, packed; the oldest go.",
    "auditing.queue_bytes_max": "Records that wait in memory while the disk takes none.",
    "auditing.refusals_per_minute": "Failed authentications with a record each.",
    "control.zip_bytes_max": "A package as it is uploaded.",
    "control.unzipped_bytes_max": "A function's code and layers, unpacked.",
    "control.package_entries_max": "Files and folders in a package.",
    "control.code_storage_bytes_max": "All packages of an account in a region.",
    "control.timeout_s_max": "The longest timeout that a function may have.",
    "control.memory_mib_max": "The most memory that a function may have.",
    "control.tmp_mib_max": "The largest /tmp that a function may have.",
    "control.requests_s": "Calls of Lambda's API, without Invoke, a second: AWS has 15; or 'none'.",
    "environments.init_timeout_s": "How long init may take ahead of an invocation.",
    "environments.shutdown_internal_s": "An environment's end, with internal extensions only.",
    "environments.shutdown_external_s": "An environment's end, with external extensions.",
    "environments.freeze_after_s": "An environment that is idle this long is frozen.",
    "environments.keep_alive_s": "An environment that is idle this long ends.",
    "environments.age_s_max": "No environment serves longer.",
    "environments.environments_max": "Environments of this platform together.",
    "environments.processes_max": "Processes and threads of an environment.",
    "environments.descriptors_max": "Open files of a process.",
    "environments.response_bytes_max": "A response that is not streamed.",
    "environments.endpoint_port": "Where functions find the platform inside.",
    "environments.parked_floor": "Sandboxes kept ready for each runtime in use.",
    "environments.parked_max": "Sandboxes kept ready together.",
    "environments.parked_memory_share": "The part of free memory that those may take.",
    "environments.scaling_max": "Environments that a function gains in the scaling period.",
    "environments.scaling_period_s": "The scaling period.",
    "environments.snap_start_ready": "Environments of a version with SnapStart that are ready.",
    "environments.cpu_limited": "Whether memory buys a share of the processor.",
    "invoke.concurrency_max": "Invocations at a time of an account in a region.",
    "invoke.requests_s": "Synchronous requests a second for each unit of concurrency.",
    "invoke.payloads.sync_bytes_max": "The event of a synchronous invocation.",
    "invoke.payloads.event_bytes_max": "The event of an asynchronous invocation.",
    "invoke.streams.bytes_max": "A streamed response.",
    "invoke.streams.burst_bytes": "The part of it that goes out at full speed.",
    "invoke.streams.bytes_per_s": "The speed of the rest; 'none' is no limit.",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is. ``value`` None is no limit."""

    name: str
    value: bool | int | float | None

    @property
    def text(self) -> str:
        """The value as ``--set`` takes it."""
        if self.value is None or isinstance(self.value, bool):
            return str(self.value).lower()
        return f"{self.value:.12g}"


def settings_of(config: Config) -> list[Setting]:
    """Every setting, and what it is in ``config``."""
    return [Setting(name, _read(config, name)) for name in MEANINGS]


def tuned(config: Config, assignments: Iterable[str]) -> Config:
    """``config`` with each ``NAME=VALUE`` in place.

    Raises:
        ConfigError: there is no such setting, or the value will not do.
    """
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if name not in MEANINGS or not equals:
            raise ConfigError(
                f"--set takes NAME=VALUE with a name that `alonzo settings` shows, not "
                f"{assignment!r}"
            )
        config = _with(config, name.split("."), name, text)
    return config


def _read(config: Any, name: str) -> Any:
    for part in name.split("."):
        config = getattr(config, part)
    return config


def _with(holder: Any, path: list[str], name: str, text: str) -> Any:
    first, *rest = path
    if rest:
        value = _with(getattr(holder, first), rest, name, text)
    else:
        value = _value(name, text, get_type_hints(holder.__class__)[first])
    return replace(holder, **{first: value})


def _value(name: str, text: str, kind: Any) -> bool | int | float | None:
    expected, read = _KINDS[kind]
    try:
        value = read(text)
    except (ValueError, KeyError):
        value = -1
    if value is not None and not 0 <= value < float("inf"):
        raise ConfigError(f"{name} takes {expected}, not {text!r}")
    return value


_BOOLEANS = {"true": True, "false": False}

#: The type of a field -> what to write for it, and how that is read.
_KINDS: Mapping[Any, tuple[str, Callable[[str], bool | int | float | None]]] = {
    bool: ("true or false", lambda text: _BOOLEANS[text]),
    int: ("a whole number that is not negative", int),
    float: ("a number that is not negative", float),
    int | None: (
        "a whole number that is not negative, or none",
        lambda text: None if text == "none" else int(text),
    ),
}


def names_in(holder: Any, prefix: str = "") -> Iterable[str]:
    """Every field below a settings object, by name."""
    for field in fields(holder):
        value = getattr(holder, field.name)
        if is_dataclass(value):
            yield from names_in(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"

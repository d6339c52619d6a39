"""What the Parameters and Secrets extension is asked, and how it answers. Pure.

A function that has AWS's layer gets the extension from the platform: nothing of the layer is
downloaded, and no process runs. Settings are the layer's own variables; one that cannot be read has
its default, as there.

Source: Secrets Manager user guide, Lambda extension; Systems Manager user guide, Parameter Store
integration with Lambda extensions. How errors look is not documented, and is ours.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qs

import orjson

from alonzo.model.deliveries import ServiceCall
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion

DEFAULT_PORT = 2773
_PREFIX = "PARAMETERS_SECRETS_EXTENSION_"
_PORT = f"{_PREFIX}HTTP_PORT"
PORT_VARIABLE = _PORT

#: Seconds that a value may be kept, and values kept.
_TTL_MAX = 300
_CACHE_SIZE_MAX = 1000
_CONNECTIONS_DEFAULT = 3
_CONNECTIONS_MAX = 64

#: Where a parameter or a secret is asked for, with the operation behind it.
_PATHS = {
    b"/secretsmanager/get": ("secretsmanager", "GetSecretValue", "SECRETS_MANAGER"),
    b"/systemsmanager/parameters/get": ("ssm", "GetParameter", "SSM_PARAMETER_STORE"),
}
#: A query is no longer than names can be.
_QUERY_BYTES_MAX = 8192


class BadQueryError(Exception):
    """A request asks for nothing that can be had. The text is for the function."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the extension works. Times in seconds; a lifetime of 0 keeps nothing."""

    ttl_s: Mapping[str, int]
    timeout_s: Mapping[str, float | None]
    cache_size: int
    connections: int


@dataclass(frozen=True, slots=True)
class Question:
    """One call to be made, or to be answered from the cache unless ``fresh``."""

    call: ServiceCall
    fresh: bool

    @property
    def key(self) -> tuple[Any, ...]:
        """What a cache knows the answer by."""
        return (self.call.operation, *sorted(self.call.params.items()))


def port_of(version: ServingVersion) -> int | None:
    """Where the version's processes find the extension; None: they have none."""
    if not version.parameters_extension:
        return None
    return _number(version.environment, _PORT, DEFAULT_PORT, range(1024, 65536))


def read_settings(variables: Mapping[str, str]) -> Settings:
    """The settings in a function's variables."""
    enabled = variables.get(f"{_PREFIX}CACHE_ENABLED", "").lower() != "false"
    size = _number(variables, f"{_PREFIX}CACHE_SIZE", _CACHE_SIZE_MAX, range(_CACHE_SIZE_MAX + 1))
    services = {service: prefix for service, _, prefix in _PATHS.values()}
    return Settings(
        ttl_s={
            service: _number(variables, f"{prefix}_TTL", _TTL_MAX, range(_TTL_MAX + 1))
            for service, prefix in services.items()
        },
        timeout_s={
            service: _number(variables, f"{prefix}_TIMEOUT_MILLIS", 0, range(900_001)) / 1000
            or None
            for service, prefix in services.items()
        },
        cache_size=size if enabled else 0,
        connections=_number(
            variables,
            f"{_PREFIX}MAX_CONNECTIONS",
            _CONNECTIONS_DEFAULT,
            range(1, _CONNECTIONS_MAX + 1),
        ),
    )


def _number(variables: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    text = variables.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        return default
    number = int(text)
    return number if number in allowed else default


def is_known(path: bytes) -> bool:
    """Whether the extension has such a path."""
    return path in _PATHS


def read_question(path: bytes, query: bytes) -> Question:
    """What a request asks for.

    Raises:
        BadQueryError: nothing that can be had.
    """
    service, operation, _ = _PATHS[path]
    if len(query) > _QUERY_BYTES_MAX:
        raise BadQueryError("the query is too long")
    try:
        pairs = parse_qs(query.decode("ascii"), max_num_fields=20, errors="strict")
    except ValueError as error:
        raise BadQueryError("the query cannot be read") from error
    asked = {name: values[-1] for name, values in pairs.items()}
    read = _read_secret if service == "secretsmanager" else _read_parameter
    params = read(asked)
    return Question(
        ServiceCall(service, operation, params), asked.get("refreshNow", "").lower() == "true"
    )


def _read_secret(asked: Mapping[str, str]) -> dict[str, Any]:
    if "secretId" not in asked:
        raise BadQueryError("secretId is missing")
    params = {"SecretId": asked["secretId"]}
    for name, member in (("versionId", "VersionId"), ("versionStage", "VersionStage")):
        if name in asked:
            params[member] = asked[name]
    return params


def _read_parameter(asked: Mapping[str, str]) -> dict[str, Any]:
    if "name" not in asked:
        raise BadQueryError("name is missing")
    if "version" in asked and "label" in asked:
        raise BadQueryError("version and label exclude each other")
    selector = asked.get("version") or asked.get("label")
    params: dict[str, Any] = {"Name": asked["name"] + (f":{selector}" if selector else "")}
    if asked.get("withDecryption", "").lower() == "true":
        params["WithDecryption"] = True
    return params


def rendered(operation: str, result: Mapping[str, Any]) -> bytes:
    """An answer as the layer gives it: members as in the service's API, dates as texts."""
    document = dict(result)
    if operation == "GetSecretValue":
        document = {"SecretBinary": None, "SecretString": None, **document}
    else:
        parameter = {"Selector": None, "SourceResult": None, **dict(result["Parameter"])}
        document = {"Parameter": parameter}
    return orjson.dumps(_plain({**document, "ResultMetadata": {}}))


def refused(error: AwsError) -> bytes:
    """What a function is told whose question the service refuses."""
    return orjson.dumps({"errorType": error.code, "errorMessage": error.message})


def _plain(value: Any, name: str = "") -> Any:
    """A value as JSON has it. Times are members whose names end in ``Date``, epoch seconds."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {member: _plain(each, member) for member, each in members.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[Any]", value)]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if name.endswith("Date") and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")
    return value

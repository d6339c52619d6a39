"""Parameters and their versions in the store. Runs inside units of work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from alonzo.model.context import RequestContext
from alonzo.services.ssm.errors import label_not_found, not_found, version_not_found
from alonzo.services.ssm.rules import Selector
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.ssm")

#: Sorts behind every name.
_NAME_END = "\U0010ffff"
#: Parameters read by one query while a listing looks for those that fit.
_FETCH = 200


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as stored."""

    id: int
    name: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """One version as stored. ``document`` has its members as PutParameter names them."""

    number: int
    created_at_s: float
    document: Mapping[str, Any]
    value: bytes

    @property
    def labels(self) -> list[str]:
        """Its labels, in the order that they were given in."""
        return self.document.get("Labels", [])

    @property
    def is_secure(self) -> bool:
        """Whether KMS has sealed the value."""
        return self.document["Type"] == "SecureString"

    def __repr__(self) -> str:
        return f"Version({self.number})"


def parameter_from(row: Row) -> Parameter:
    """A parameter from a row of ``ssm_parameter``."""
    return Parameter(row["id"], row["name"], orjson.loads(row["document"]).get("tags", {}))


def version_from(row: Row) -> Version:
    """A version from a row of ``ssm_version``."""
    return Version(
        row["number"], row["created_at_s"], orjson.loads(row["document"]), bytes(row["value"])
    )


def try_find(conn: Connection, context: RequestContext, name: str) -> Parameter | None:
    """The parameter of that name, or None."""
    row = conn.one(
        Q.find_parameter,
        {"account": context.account, "region": context.region, "name": name},
    )
    return None if row is None else parameter_from(row)


def need(conn: Connection, context: RequestContext, selector: Selector) -> Parameter:
    """The parameter that a selector names, whatever version it means.

    Raises:
        AwsError: ParameterNotFound.
    """
    for name in selector.names:
        found = try_find(conn, context, name)
        if found is not None:
            return found
    raise not_found(selector.names[0])


def newest(conn: Connection, parameter: Parameter) -> Version:
    """The newest version. There is always one."""
    row = conn.one(Q.newest_version, {"parameter_id": parameter.id})
    assert row is not None
    return version_from(row)


def versions(conn: Connection, parameter: Parameter) -> list[Version]:
    """All versions, the oldest first."""
    rows = conn.all(Q.versions, {"parameter_id": parameter.id})
    return list(map(version_from, rows))


def selected(conn: Connection, parameter: Parameter, selector: Selector) -> Version:
    """The version that a selector means.

    Raises:
        AwsError: ParameterVersionNotFound.
    """
    if selector.label is not None:
        for version in versions(conn, parameter):
            if selector.label in version.labels:
                return version
        raise label_not_found(parameter.name, selector.label)
    if selector.version is None:
        return newest(conn, parameter)
    row = conn.one(Q.find_version, {"parameter_id": parameter.id, "number": selector.version})
    if row is None:
        raise version_not_found(parameter.name, selector.version)
    return version_from(row)


def save_version(conn: Connection, parameter: Parameter, version: Version, **changes: Any) -> None:
    """Replace members of a version's document."""
    conn.execute(
        Q.set_version,
        {
            "parameter_id": parameter.id,
            "number": version.number,
            "document": orjson.dumps({**version.document, **changes}).decode(),
        },
    )


def save_tags(conn: Connection, parameter: Parameter, tags: Mapping[str, str]) -> None:
    """Replace the tags."""
    document = orjson.dumps({"tags": tags}).decode()
    conn.execute(Q.set_tags, {"id": parameter.id, "document": document})


def walk(
    conn: Connection, context: RequestContext, *, prefix: str = "", after: str = ""
) -> Iterator[Parameter]:
    """The parameters whose names begin so, in the order of their names, after one of them."""
    while True:
        rows = conn.all(
            Q.list_parameters,
            {
                "account": context.account,
                "region": context.region,
                "prefix": prefix,
                "prefix_end": prefix + _NAME_END,
                "after": after,
                "limit": _FETCH,
            },
        )
        yield from map(parameter_from, rows)
        if len(rows) < _FETCH:
            return
        after = rows[-1]["name"]

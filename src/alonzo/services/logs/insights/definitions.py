"""PutQueryDefinition, DescribeQueryDefinitions and DeleteQueryDefinition.

A definition is a text under a name: whether it is a query shows when it is run.

Source: CloudWatch Logs API reference, each operation; quotas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError, not_found
from alonzo.services.logs.errors import invalid, invalid_token
from alonzo.services.logs.positions import opaque_token, read_opaque_token
from alonzo.services.logs.records import Q
from alonzo.services.logs.rules import NAME_END
from alonzo.store.base import Connection, Row, Store

#: Definitions of an account in a region, and log groups of one.
DEFINITIONS_MAX, _GROUPS_MAX = 1_000, 50
_PAGE_MAX = 1_000
#: What is kept of a request.
_KEPT = ("queryString", "logGroupNames", "parameters", "clientToken")


class DefinitionOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def put_query_definition(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """PutQueryDefinition. With a client token that was used it changes what was made then."""
        if params.get("queryLanguage", "CWLI") != "CWLI":
            raise invalid("Only the query language CWLI is supported.")
        if len(params.get("logGroupNames") or ()) > _GROUPS_MAX:
            raise invalid(f"A query reads at most {_GROUPS_MAX} log groups.")
        kept = {name: params[name] for name in _KEPT if params.get(name)}
        given = params.get("queryDefinitionId")
        values = {
            "id": given or self._ids.uuid(),
            "account": context.account,
            "region": context.region,
            "name": params["name"],
            "modified_ms": int(self._clock.now_s() * 1000),
            "document": orjson.dumps(kept).decode(),
        }

        def work(db: Connection) -> str:
            rows = _of(db, context)
            token = params.get("clientToken")
            known = next(
                (
                    row
                    for row in rows
                    if row["id"] == given
                    or (token and orjson.loads(row["document"]).get("clientToken") == token)
                ),
                None,
            )
            if known is not None:
                db.execute(Q.change_query_definition, {**values, "id": known["id"]})
                return known["id"]
            if given:
                raise _unknown()
            if len(rows) >= DEFINITIONS_MAX:
                raise AwsError("LimitExceededException", "Resource limit exceeded.")
            db.execute(Q.add_query_definition, values)
            return str(values["id"])

        return {"queryDefinitionId": await self._store.tx(work)}

    async def describe_query_definitions(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeQueryDefinitions, by name."""
        prefix = params.get("queryDefinitionNamePrefix") or ""
        limit: int = params.get("maxResults") or _PAGE_MAX
        after = _edge(params.get("nextToken"))
        if params.get("queryLanguage", "CWLI") != "CWLI":
            return {"queryDefinitions": []}
        rows = await self._store.read(lambda db: _of(db, context, prefix))
        left = [row for row in rows if (row["name"], row["id"]) > after]
        page = left[:limit]
        answer: dict[str, Any] = {"queryDefinitions": [_described(row) for row in page]}
        if len(left) > limit:
            edge = orjson.dumps([page[-1]["name"], page[-1]["id"]]).decode()
            answer["nextToken"] = opaque_token(edge)
        return answer

    async def delete_query_definition(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DeleteQueryDefinition."""
        where = {
            "id": params["queryDefinitionId"],
            "account": context.account,
            "region": context.region,
        }
        if not await self._store.tx(lambda db: db.execute(Q.delete_query_definition, where)):
            raise _unknown()
        return {"success": True}


def _of(db: Connection, context: RequestContext, prefix: str = "") -> list[Row]:
    """The definitions of a place whose names begin so; there are not many."""
    return db.all(
        Q.list_query_definitions,
        {
            "account": context.account,
            "region": context.region,
            "prefix": prefix,
            "prefix_end": prefix + NAME_END,
        },
    )


def _edge(token: str | None) -> tuple[str, str]:
    if token is None:
        return "", ""
    try:
        found: Any = orjson.loads(read_opaque_token(token))
        name, last_id = found
    except (ValueError, TypeError):
        raise invalid_token() from None
    if not (isinstance(name, str) and isinstance(last_id, str)):
        raise invalid_token()
    return name, last_id


def _described(row: Row) -> Mapping[str, Any]:
    kept = orjson.loads(row["document"])
    kept.pop("clientToken", None)
    return {
        "queryLanguage": "CWLI",
        "queryDefinitionId": row["id"],
        "name": row["name"],
        "lastModified": row["modified_ms"],
        **kept,
    }


def _unknown() -> AwsError:
    """No definition has that id. The text is ours."""
    return not_found("The specified query definition does not exist.")

"""Lists of entities, page by page, in the order of their names."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.iam import records
from alonzo.services.iam.operations import path_prefix
from alonzo.services.iam.paging import page_size, read_marker
from alonzo.services.iam.records import Entity, Kind
from alonzo.store.base import Connection


def entity_page(
    conn: Connection,
    context: RequestContext,
    params: Mapping[str, Any],
    kind: Kind,
    member: str,
    render: Callable[[Entity], Any],
) -> dict[str, Any]:
    """One page of all entities of a kind, below the path asked for."""
    size = page_size(params)
    found = records.page(
        conn,
        context.account,
        kind,
        path=path_prefix(params),
        after=read_marker(params),
        limit=size + 1,
    )
    answer: dict[str, Any] = {
        member: [render(each) for each in found[:size]],
        "IsTruncated": len(found) > size,
    }
    if answer["IsTruncated"]:
        place = found[size - 1].name.lower().encode()
        answer["Marker"] = base64.urlsafe_b64encode(place).decode()
    return answer

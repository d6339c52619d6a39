"""``GET /_alonzo/usage``: what was used in a time, by groups, with its price. For the root user.

from, to        epoch seconds; whole minutes, the first and the last one included
function, region    only of this one
group_by        names of ``rules.GROUPS``, with commas; at most one of them a time
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pkgutil import get_data
from typing import Any
from urllib.parse import parse_qsl

from alonzo.lib.clock import Clock, iso_ms
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.services.cloudwatch.folding import Folder
from alonzo.services.cloudwatch.sink import Q
from alonzo.services.cloudwatch.usage import rules
from alonzo.store.base import Store

#: Rows of one answer, before they are grouped.
_ROWS_MAX = 200_000


class _WrongError(Exception):
    """The question cannot be answered. The text is fit for a client."""


class UsageRoute:
    """Answers what the account's functions used."""

    def __init__(self, store: Store, folder: Folder, clock: Clock, *, account: str) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._account = account
        text = get_data("alonzo.services.cloudwatch.usage", "prices.json")
        assert text is not None, "a file of the package"
        self._prices = rules.Prices.of(json.loads(text))

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Serve one request, whose sender is known to be allowed."""
        try:
            document = await self._document(dict(parse_qsl(request.query.decode("latin-1"))))
        except _WrongError as error:
            return _json(400, {"message": str(error)})
        return _json(200, document)

    async def _document(self, asked: Mapping[str, str]) -> dict[str, Any]:
        now_s = self._clock.now_s()
        start_s = _seconds(asked, "from", 0) // 60 * 60
        end_s = -(-_seconds(asked, "to", int(now_s) + 1) // 60) * 60
        groups = tuple(name for name in asked.get("group_by", "function").split(",") if name)
        unknown = [name for name in groups if name not in rules.GROUPS]
        if unknown or sum(name in rules.GRAINS_S for name in groups) > 1:
            raise _WrongError(
                f"group_by takes {', '.join(rules.GROUPS)}, and at most one of the last three."
            )
        values = {
            "account": self._account,
            "start_s": start_s,
            "end_s": end_s,
            "region": asked.get("region", ""),
            "function": asked.get("function", ""),
            "grain_s": rules.grain_s(groups),
            "limit": _ROWS_MAX,
        }
        await self._folder.fold()
        rows = await self._store.read(lambda conn: conn.all(Q.usage, values))
        if len(rows) == _ROWS_MAX:
            raise _WrongError("That is too much for one answer: ask for a shorter time.")
        lines, everything = rules.group(rows, groups, self._prices)
        return {
            "from": iso_ms(start_s),
            "to": iso_ms(end_s),
            "group_by": list(groups),
            "prices": {
                "date": self._prices.date,
                "source": self._prices.source,
                "region": self._prices.region,
                "notes": self._prices.notes,
            },
            "groups": [
                dict(zip(groups, map(_shown, groups, key), strict=True)) | line.as_document()
                for key, line in lines.items()
            ],
            "total": everything.as_document(),
        }


def _shown(name: str, value: Any) -> Any:
    return iso_ms(value) if name in rules.GRAINS_S else value


def _seconds(asked: Mapping[str, str], name: str, default: int) -> int:
    text = asked.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise _WrongError(f"{name} takes epoch seconds.")
    return int(text)


def _json(status: int, document: Mapping[str, Any]) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "application/json"}, json.dumps(document).encode())

"""The routes to accounts and to the platform's own root key. For the platform's root user.

GET  /_alonzo/accounts   every account, with the ids of its root keys
POST /_alonzo/accounts   {"account": 12 digits, "replace": false} → a new root key, shown this once
POST /_alonzo/root-key   a new key of the platform's own root user, in ``root.json`` too
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from alonzo.daemon.config import Config
from alonzo.edge.route import Route
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.roots import Roots, TooManyError
from alonzo.store.data_dir import DataDir

_ACCOUNT = re.compile(r"[0-9]{12}")


def account_routes(config: Config, data: DataDir, identities: Identities) -> list[Route]:
    """The routes."""
    roots = Roots(identities, data.keys, config.account)

    async def accounts(request: HttpRequest) -> HttpResponse:
        if request.method == "GET":
            return _json(200, {"accounts": await roots.accounts()})
        if request.method != "POST":
            return _json(405, {"message": "Use GET or POST for this path."})
        asked = _document(request.body)
        account, replace = asked.get("account"), asked.get("replace", False)
        if not (isinstance(account, str) and _ACCOUNT.fullmatch(account)):
            return _json(400, {"message": "An account has 12 digits."})
        if not isinstance(replace, bool):
            return _json(400, {"message": "replace is true or false."})
        try:
            key_id, secret = await roots.create(account, replace=replace)
        except TooManyError as error:
            return _json(409, {"message": str(error)})
        return _json(200, _key(account, key_id, secret))

    async def root_key(_: HttpRequest) -> HttpResponse:
        try:
            key_id, secret = await roots.rotate()
        except TooManyError as error:
            return _json(409, {"message": str(error)})
        return _json(200, _key(config.account, key_id, secret))

    return [
        Route(None, b"/_alonzo/accounts", accounts, for_root=True),
        Route("POST", b"/_alonzo/root-key", root_key, for_root=True),
    ]


def _document(body: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _key(account: str, key_id: str, secret: str) -> dict[str, str]:
    return {"account": account, "access_key_id": key_id, "secret_access_key": secret}


def _json(status: int, document: dict[str, Any]) -> HttpResponse:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return HttpResponse(status, headers, json.dumps(document).encode())

"""Where the keys of identity providers come from, and how often they are asked for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.services.iam.issuer_http import FetchError
from alonzo.services.iam.issuer_keys import AGAIN_S, KEPT_S, IssuerKeys

ISSUER = "https://idp.example/a"
KEYS = [{"kid": "1"}]


class Http:
    """Publishes what it is given; notes what was fetched."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.documents: dict[str, Any] = {
            f"{ISSUER}/.well-known/openid-configuration": {
                "issuer": ISSUER,
                "jwks_uri": "https://keys.example/",
            },
            "https://keys.example/": {"keys": KEYS},
        }

    async def fetch(self, url: str) -> Any:
        self.fetched.append(url)
        if url not in self.documents:
            raise FetchError("nothing there")
        return self.documents[url]


def opened(tmp_path: Path) -> tuple[IssuerKeys, Http, ManualClock]:
    http, clock = Http(), ManualClock()
    # It is used in place of the real one, of which it has the only method.
    keys = IssuerKeys(tmp_path / "issuers.json", clock, http)  # pyright: ignore[reportArgumentType] - as said
    return keys, http, clock


def test_published_keys_are_kept_and_asked_for_anew_once_a_minute_at_most(tmp_path: Path) -> None:
    async def main() -> None:
        keys, http, clock = opened(tmp_path)
        assert await asyncio.gather(keys.find(ISSUER), keys.find(ISSUER)) == [KEYS, KEYS]
        assert len(http.fetched) == 2, "discovery and keys, for both calls together"
        for _ in range(5):
            await keys.find(ISSUER, newer=True)
        assert len(http.fetched) == 2
        clock.advance(AGAIN_S)
        await keys.find(ISSUER)
        assert len(http.fetched) == 2
        await keys.find(ISSUER, newer=True)
        assert len(http.fetched) == 4
        clock.advance(KEPT_S)
        await keys.find(ISSUER)
        assert len(http.fetched) == 6

    asyncio.run(main())


def test_a_failure_is_remembered_for_a_minute(tmp_path: Path) -> None:
    async def main() -> None:
        keys, http, clock = opened(tmp_path)
        published = http.documents.pop("https://keys.example/")
        for _ in range(3):
            with pytest.raises(FetchError, match="nothing there"):
                await keys.find(ISSUER)
        assert len(http.fetched) == 2
        http.documents["https://keys.example/"] = published
        clock.advance(AGAIN_S)
        assert await keys.find(ISSUER) == KEYS

    asyncio.run(main())


@pytest.mark.parametrize(
    "document", [None, [], {}, {"issuer": "https://other.example"}, {"issuer": ISSUER}]
)
def test_a_discovery_document_must_be_the_issuers_own(tmp_path: Path, document: Any) -> None:
    keys, http, _ = opened(tmp_path)
    http.documents[f"{ISSUER}/.well-known/openid-configuration"] = document
    with pytest.raises(FetchError):
        asyncio.run(keys.find(ISSUER))


def test_what_the_operator_gives_is_used_and_nothing_is_fetched(tmp_path: Path) -> None:
    async def main() -> None:
        keys, http, _ = opened(tmp_path)
        file = tmp_path / "issuers.json"
        file.write_text(json.dumps({ISSUER: {"keys": [{"kid": "file"}]}}))
        file.chmod(0o600)
        assert await keys.find(ISSUER) == [{"kid": "file"}]
        file.write_text(json.dumps({ISSUER: {"keys": [{"kid": "newer"}, {"kid": "still"}]}}))
        assert await keys.find(ISSUER, newer=True) == [{"kid": "newer"}, {"kid": "still"}]
        assert http.fetched == []
        for bad in ("[]", "{", '{"https://idp.example/a": {"keys": 1}}'):
            file.write_text(bad + " " * 100)
            assert await keys.find(ISSUER) == KEYS, "as if there were no file"
        file.write_text(json.dumps({ISSUER: {"keys": [{"kid": "anybody's"}]}}))
        file.chmod(0o666)
        assert await keys.find(ISSUER) == KEYS, "others can write it"

    asyncio.run(main())

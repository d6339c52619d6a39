"""The public keys of identity providers: from a file of the operator's, or as they publish them.

* ``issuers.json`` in the data directory maps issuers (``https://issuer.example``) to their JSON Web
  Key Sets. It is read again when it changes; only the owner of the directory may be able to write
  it. For an issuer that is in it nothing is fetched.
* Of others the discovery document says where the keys are. They are kept for an hour. A token with
  an unknown key has them fetched anew, once a minute at most: so keys may be changed at any time,
  and strangers with made-up tokens cause no traffic.

Source: OpenID Connect Discovery 1.0, section 4; IAM user guide, OIDC federation.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from alonzo.lib.clock import Clock
from alonzo.services.iam.issuer_http import FetchError, IssuerHttp
from alonzo.services.iam.web_tokens import read_key_set

log = logging.getLogger("alonzo.iam")

FILE_NAME = "issuers.json"

#: Keys are used so long, and fetched again so soon at the earliest.
KEPT_S = 3600.0
AGAIN_S = 60.0
#: Issuers whose keys are kept.
ISSUERS_MAX = 64
_FILE_BYTES_MAX = 1 << 20
_OTHERS_MAY_WRITE = 0o022

Keys = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Fetched:
    keys: Keys | None
    reason: str
    at_s: float


class IssuerKeys:
    """Finds keys."""

    def __init__(self, file: Path, clock: Clock, http: IssuerHttp | None = None) -> None:
        self._file = file
        self._clock = clock
        self._http = http or IssuerHttp()
        self._read: tuple[tuple[int, int, int] | None, Mapping[str, Keys]] = (None, {})
        self._fetched: OrderedDict[str, _Fetched] = OrderedDict()
        self._fetching = asyncio.Lock()

    async def find(self, issuer: str, *, newer: bool = False) -> Keys:
        """The keys of an issuer; with ``newer`` as they are now, if they were not just fetched.

        Raises:
            FetchError: they cannot be had.
        """
        given = (await asyncio.to_thread(self._of_file)).get(issuer)
        if given is not None:
            return given
        if (kept := self._kept(issuer, AGAIN_S if newer else KEPT_S)) is None:
            async with self._fetching:
                # Another call may have fetched them meanwhile.
                kept = self._kept(issuer, AGAIN_S if newer else KEPT_S)
                if kept is None:
                    kept = await self._fetch(issuer)
        if kept.keys is None:
            raise FetchError(kept.reason)
        return kept.keys

    def _kept(self, issuer: str, age_s_max: float) -> _Fetched | None:
        fetched = self._fetched.get(issuer)
        if fetched is None:
            return None
        if fetched.keys is None:
            age_s_max = AGAIN_S
        return fetched if self._clock.monotonic_s() - fetched.at_s < age_s_max else None

    async def _fetch(self, issuer: str) -> _Fetched:
        keys, reason = None, ""
        try:
            keys = await self._published(issuer)
        except FetchError as error:
            reason = str(error)
            log.warning("iam.issuer_unreachable", extra={"issuer": issuer, "error": reason})
        fetched = _Fetched(keys, reason, self._clock.monotonic_s())
        self._fetched[issuer] = fetched
        self._fetched.move_to_end(issuer)
        if len(self._fetched) > ISSUERS_MAX:
            self._fetched.popitem(last=False)
        return fetched

    async def _published(self, issuer: str) -> Keys:
        base = issuer.rstrip("/")
        discovery: Any = await self._http.fetch(f"{base}/.well-known/openid-configuration")
        if not isinstance(discovery, dict):
            raise FetchError("the discovery document is none")
        document = cast("dict[str, Any]", discovery)
        if document.get("issuer") != issuer:
            raise FetchError("the discovery document is another issuer's")
        keys = read_key_set(await self._http.fetch(str(document.get("jwks_uri"))))
        if keys is None:
            raise FetchError("the issuer publishes no keys")
        return keys

    def _of_file(self) -> Mapping[str, Keys]:
        try:
            with self._file.open("rb") as file:
                facts = os.fstat(file.fileno())
                state = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
                if self._read[0] == state:
                    return self._read[1]
                found: Mapping[str, Keys] = {}
                if facts.st_mode & _OTHERS_MAY_WRITE or facts.st_size > _FILE_BYTES_MAX:
                    log.warning("iam.issuers_not_read", extra={"file": str(self._file)})
                else:
                    found = _issuers(file.read(_FILE_BYTES_MAX))
                self._read = (state, found)
        except FileNotFoundError:
            self._read = (None, {})
        except (OSError, ValueError, RecursionError):
            log.warning("iam.issuers_not_read", extra={"file": str(self._file)})
            self._read = (None, {})
        return self._read[1]


def _issuers(raw: bytes) -> Mapping[str, Keys]:
    """What the file says. Raises ``ValueError`` if it is of another form."""
    document: Any = json.loads(raw)
    sets = cast("dict[str, Any]", document) if isinstance(document, dict) else {"": None}
    found = {issuer: read_key_set(key_set) for issuer, key_set in sets.items()}
    if None in found.values():
        raise ValueError("not an object of issuers with their key sets")
    return {issuer: keys for issuer, keys in found.items() if keys is not None}

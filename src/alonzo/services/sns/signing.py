"""The key that signs messages, and the certificate that verifies them.

Both are made when they are first needed and kept in the data directory, in one file (0600). The
certificate is one's own authority: whoever verifies must take it from this platform.

Source: SNS developer guide, verifying the signatures of messages: RSA with PKCS #1 v1.5, and
SHA-1 (version 1) or SHA-256 (version 2).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from alonzo.lib.clock import Clock, utc
from alonzo.store.data_dir import read_or_create

if TYPE_CHECKING:
    from alonzo.services.sns.signing_keys import Material

#: Signatures kept: the subscriptions of a topic share one.
_KEPT_MAX = 1024

#: The path of a certificate is this, its id, and ``.pem``.
CERTIFICATE_PREFIX = "/_alonzo/sns/SimpleNotificationService-"


class Signer:
    """Signs texts."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """``path`` is the file of key and certificate."""
        self._path = path
        self._clock = clock
        self._material: Material | None = None
        self._making = asyncio.Lock()
        self._signing = asyncio.Lock()
        self._kept: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    async def certificate(self) -> tuple[str, bytes]:
        """The path that the certificate is to be served at, and its PEM."""
        material = await self._load()
        return f"{CERTIFICATE_PREFIX}{material.id}.pem", material.certificate

    async def sign(self, text: str, version: str) -> str:
        """The signature of a text, in base64."""
        material = await self._load()
        wanted = (version, sha256(text.encode("utf-8", "surrogatepass")).digest())
        # One after the other: whoever waits for the same text finds it made.
        async with self._signing:
            found = self._kept.get(wanted)
            if found is None:
                found = await asyncio.to_thread(material.sign, text, version)
                self._kept[wanted] = found
                if len(self._kept) > _KEPT_MAX:
                    self._kept.popitem(last=False)
        return found

    async def _load(self) -> Material:
        if self._material is None:
            async with self._making:
                if self._material is None:
                    self._material = await asyncio.to_thread(self._read)
        return self._material

    def _read(self) -> Material:
        # Here, because most starts need neither this nor the time that it takes.
        from alonzo.services.sns import signing_keys

        pem = read_or_create(self._path, lambda: signing_keys.make(utc(self._clock.now_s())))
        return signing_keys.Material(pem)

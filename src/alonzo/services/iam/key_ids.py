"""Unique ids and secrets in AWS's forms. Source: IAM user guide, unique identifiers."""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import lru_cache

from alonzo.lib.ids import IdSource

_LETTERS = 17


#: Bits of a key id that hold the account: 40 of the first 48, with seven below them.
_ACCOUNT_SHIFT = 7
_ACCOUNT_MASK = (1 << 40) - 1
_TOP = 1 << 47


def access_key_id(prefix: str, ids: IdSource, account: str) -> str:
    """20 characters: what AWS says the prefix means, and 16 of base32.

    They hold the account, as AWS's do, so that GetAccessKeyInfo needs to know no key.
    """
    random = int(ids.hex(10), 16) & ((1 << 80) - 1)
    first = _TOP | int(account) << _ACCOUNT_SHIFT | (random >> 32) & ((1 << _ACCOUNT_SHIFT) - 1)
    raw = first.to_bytes(6) + (random & ((1 << 32) - 1)).to_bytes(4)
    return prefix + base64.b32encode(raw).decode()


def account_of_key(key_id: str) -> str | None:
    """The account that a key id holds, or None if it is no key id."""
    try:
        raw = base64.b32decode(key_id[4:].encode())
    except (binascii.Error, ValueError):
        return None
    if len(raw) < 6:
        return None
    account = (int.from_bytes(raw[:6]) >> _ACCOUNT_SHIFT) & _ACCOUNT_MASK
    return f"{account:012d}" if account < 10**12 else None


def secret_access_key(ids: IdSource) -> str:
    """40 characters of base64."""
    return base64.b64encode(bytes.fromhex(ids.hex(30))).decode()


def unique_id(prefix: str, ids: IdSource) -> str:
    """21 characters: what AWS says the prefix means, and 17 of base32."""
    return prefix + base64.b32encode(bytes.fromhex(ids.hex(11))).decode()[:_LETTERS]


@lru_cache(maxsize=4096)
def unknown_role_id(role_arn: str) -> str:
    """The unique id of a role that IAM does not know, always the same for one ARN."""
    return fixed_id("AROA", role_arn)


def fixed_id(prefix: str, name: str) -> str:
    """A unique id that is always the same for one name, for what nobody made."""
    return prefix + base64.b32encode(hashlib.sha256(name.encode()).digest())[:_LETTERS].decode()

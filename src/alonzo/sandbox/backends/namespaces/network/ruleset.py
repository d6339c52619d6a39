"""The packet filter of one daemon, in the words of ``nft``. Pure.

One table holds all of it, so that it comes and goes at once. It only ever judges packets from and
to our interfaces, and those of a host that forwards nothing but for us.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from alonzo.sandbox.backends.namespaces.network.pools import ANY_PREFIX, NEVER

_TABLES = "alonzo_"
_CHANGED = "changed"

#: Connections of one sandbox that the host keeps track of at a time.
FLOWS_MAX = 2048


@dataclass(frozen=True, slots=True)
class Existing:
    """What there is: for each table of ours the interfaces that forward for its sake.

    ``dropping`` names the chains of others that drop what is forwarded unless they allow it.
    """

    changed: dict[str, frozenset[str]]
    dropping: tuple[str, ...]


def table_of(instance: str) -> str:
    """The name of a daemon's table."""
    return f"{_TABLES}{instance}"


def rules(table: str, *, prefix: str, pool: IPv4Network, changed: Collection[str]) -> str:
    """Replace the table by a new one.

    ``changed`` are interfaces that forward only because we made them. They may be many daemons'
    doing: each has the rule that keeps such a host from forwarding for anybody else.
    """
    elements = f"elements = {{ {', '.join(map(_quoted, sorted(changed)))} }}" if changed else ""
    from_us, to_us, to_any = f'iifname "{prefix}*"', f'oifname "{prefix}*"', f'"{ANY_PREFIX}*"'
    return f"""\
table inet {table} {{ }}
delete table inet {table}
table inet {table} {{
    set {_CHANGED} {{ type ifname; {elements} }}
    set never {{ type ipv4_addr; flags interval; elements = {{ {", ".join(NEVER)} }} }}
    set flows {{ type ipv4_addr; size 65535; flags dynamic; }}

    # Before anything of the host's own can lead a packet elsewhere.
    chain first {{
        type filter hook prerouting priority -310; policy accept;
        {from_us} jump judge
    }}
    chain judge {{
        meta nfproto != ipv4 drop
        # With options a packet could name the way that it wants to go.
        ip hdrlength != 5 drop
        # The sender must be the one address that this interface leads to.
        fib saddr . iif oif missing drop
        # Not the host, whatever its addresses; nobody whom it cannot reach; no groups.
        fib daddr type != unicast drop
        ip daddr @never drop
    }}
    chain input {{
        type filter hook input priority -10; policy accept;
        {from_us} drop
    }}
    chain forward {{
        type filter hook forward priority -10; policy accept;
        # What belongs to no connection would leave with an address of ours.
        {from_us} ct state invalid drop
        {from_us} oifname {to_any} drop
        {to_us} ct state established,related accept
        {to_us} drop
        {from_us} ct state new add @flows {{ ip saddr ct count over {FLOWS_MAX} }} drop
        iifname @{_CHANGED} oifname != {to_any} drop
    }}
    chain postrouting {{
        type nat hook postrouting priority 100; policy accept;
        ip saddr {pool} oifname != {to_any} masquerade
    }}
}}
"""


def add_changed(table: str, names: Collection[str]) -> str:
    """Note more interfaces that forward only because we made them."""
    return f"add element inet {table} {_CHANGED} {{ {', '.join(map(_quoted, sorted(names)))} }}\n"


def no_table(table: str) -> str:
    """Remove the table; that there is none is no error."""
    return f"table inet {table} {{ }}\ndelete table inet {table}\n"


def _quoted(name: str) -> str:
    return f'"{name}"'


def read(listing: str) -> Existing:
    """What ``nft --json list ruleset`` says of our tables, and of what may be in our way."""
    entries: list[dict[str, Any]] = json.loads(listing)["nftables"]
    changed: dict[str, frozenset[str]] = {}
    dropping: list[str] = []
    for entry in entries:
        if table := entry.get("table"):
            if table["family"] == "inet" and table["name"].startswith(_TABLES):
                changed.setdefault(table["name"], frozenset())
        elif found := entry.get("set"):
            if found["table"] in changed and found["name"] == _CHANGED:
                changed[found["table"]] = frozenset(map(str, found.get("elem", ())))
        elif (chain := entry.get("chain", {})).get("policy") == "drop":
            dropping += [_named(chain)] if chain["hook"] == "forward" else []
    return Existing(changed, tuple(dropping))


def _named(chain: dict[str, Any]) -> str:
    return f"{chain['family']} {chain['table']} {chain['name']}"

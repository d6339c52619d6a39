"""How long who guesses at signatures waits for each refusal. Pure: "now" is handed in.

Failures are counted for the address that they come from (a /64 of IPv6, or a sandbox) and for the
access key that they name. So many of them in a minute are free; each one more doubles the wait,
up to a limit. Nobody who signs rightly waits, whatever others did with their key or address.

A secret has 240 bits and is not guessed in this way or any other. What this makes dear is to fish
for key ids, and to have us check signatures all day.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

#: Sources and keys that are remembered; who was quiet for longest is forgotten first.
REMEMBERED_MAX = 8192

_FIRST_WAIT_S = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
    """``free`` failures in a minute cost nothing; no wait is longer than ``wait_s_max``."""

    free: int
    wait_s_max: float


#: For other machines.
STRANGERS = Patience(10, 2.0)
#: For this one, functions among it: programs with an old key are more likely there than guessers.
NEIGHBOURS = Patience(200, 0.5)


class Penalties:
    """Who failed lately, and how often."""

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        # Failures that are not forgiven yet, and when that was so, in seconds of any clock.
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def note(self, source_ip: str, place: str, access_key_id: str, now_s: float) -> float:
        """One more failure; the seconds to wait with its answer.

        ``place`` names the sandbox that it comes from, and is empty for others.
        """
        patience = NEIGHBOURS if place or _is_loopback(source_ip) else STRANGERS
        by_source = self._count(f"from {place or _network(source_ip)}", patience, now_s)
        by_key = self._count(f"key {access_key_id[:128]}", patience, now_s)
        over = max(by_source, by_key) - patience.free
        if over <= 0:
            return 0.0
        # The exponent has an end: the limit is reached long before it.
        return min(_FIRST_WAIT_S * 2 ** min(over - 1, 16), patience.wait_s_max)

    def _count(self, name: str, patience: Patience, now_s: float) -> float:
        failures, at_s = self._failures.pop(name, (0.0, now_s))
        forgiven = (now_s - at_s) * patience.free / 60
        # Not without an end: who stops is forgiven within two minutes.
        failures = min(max(failures - forgiven, 0.0) + 1, patience.free * 2.0)
        self._failures[name] = (failures, now_s)
        if len(self._failures) > self._remembered_max:
            self._failures.popitem(last=False)
        return failures


def _network(source_ip: str) -> str:
    """The address, or the network that one customer of a provider has."""
    if ":" not in source_ip:
        return source_ip
    try:
        return str(ipaddress.ip_network((source_ip.partition("%")[0], 64), strict=False))
    except ValueError:
        return source_ip


def _is_loopback(source_ip: str) -> bool:
    try:
        return ipaddress.ip_address(source_ip).is_loopback
    except ValueError:
        return False

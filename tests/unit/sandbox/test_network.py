"""Addresses, rules and names of the networks of sandboxes: what is decided without any network."""

from __future__ import annotations

import json
import socket
import struct
from ipaddress import IPv4Network

import pytest

from alonzo.daemon.config import Config, ConfigError
from alonzo.sandbox.backends.namespaces.inside import rtnetlink
from alonzo.sandbox.backends.namespaces.network import pools, ruleset
from alonzo.sandbox.backends.namespaces.network.base import host_network, no_network
from alonzo.sandbox.backends.namespaces.network.names import names_behind, servers
from alonzo.sandbox.backends.namespaces.network.pools import Leases, PoolError

ALL_BUT = IPv4Network("100.64.0.0/10")


def test_an_interface_has_a_name_that_the_kernel_takes_with_every_number() -> None:
    prefix = pools.interface_prefix("x" * 24)
    assert prefix.startswith(pools.ANY_PREFIX)
    assert len(f"{prefix}65534".encode()) <= 15


def test_a_pool_overlaps_no_route_of_the_host() -> None:
    taken = [IPv4Network("0.0.0.0/0"), IPv4Network("10.0.0.0/8")]
    seen = set()
    for _ in range(63):
        pool = pools.choose_pool("here", taken)
        assert not any(pool.overlaps(one) for one in taken if one.prefixlen)
        seen.add(pool)
        taken.append(pool)
    assert len(seen) == 63
    assert IPv4Network("100.100.0.0/16") not in seen
    assert pools.choose_pool("here", taken) == IPv4Network("198.18.0.0/16")


def test_a_host_that_has_a_route_inside_a_pool_keeps_it() -> None:
    first = pools.choose_pool("here", [])
    inside = next(first.subnets(new_prefix=32))
    assert not pools.choose_pool("here", [inside]).overlaps(inside)


def test_a_host_with_routes_to_all_pools_is_told() -> None:
    with pytest.raises(PoolError, match="routes to all"):
        pools.choose_pool("here", [ALL_BUT, IPv4Network("198.18.0.0/15")])


def test_daemons_begin_to_look_apart() -> None:
    assert len({pools.choose_pool(f"daemon{number}", []) for number in range(20)}) > 10


def test_a_number_is_the_last_to_be_given_again() -> None:
    leases = Leases(IPv4Network("100.64.0.0/29"))
    assert [leases.take(f"s{number}") for number in range(3)] == [1, 2, 3]
    leases.give_back("s0")
    leases.give_back("s0")
    assert [leases.take(name) for name in ("a", "b", "c", "d")] == [4, 5, 6, 1]
    with pytest.raises(PoolError, match="all 6 addresses"):
        leases.take("e")
    leases.give_back("b")
    assert leases.take("e") == 5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ("127.0.0.1",)),
        ("# nameserver 1.1.1.1\nsearch x\n", ("127.0.0.1",)),
        ("nameserver 9.9.9.9\nnameserver fd00::1\n", ("9.9.9.9", "fd00::1")),
        ("nameserver\nnameserver x\nnameserver 9.9.9.9 # good\n", ("9.9.9.9",)),
        ("".join(f"nameserver 9.9.9.{n}\n" for n in range(5)), ("9.9.9.0", "9.9.9.1", "9.9.9.2")),
    ],
)
def test_the_servers_of_a_resolv_conf(text: str, found: tuple[str, ...]) -> None:
    assert servers(text) == found


@pytest.mark.parametrize(
    "server", ["127.0.0.53", "fd00::1", "169.254.169.253", "168.63.129.16", "192.0.2.7"]
)
def test_a_server_that_no_sandbox_reaches_is_asked_by_us(server: str) -> None:
    names = names_behind(f"nameserver {server}\n", own=["192.0.2.7"])
    assert names.relayed
    assert names.resolv_conf == "nameserver 127.0.0.1\n"


def test_servers_that_a_sandbox_reaches_are_asked_by_itself() -> None:
    text = "nameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch secret.example\n"
    names = names_behind(text, own=["192.0.2.7"])
    assert not names.relayed
    assert names.resolv_conf == "nameserver 9.9.9.9\n"


def test_rules_that_were_installed_are_read_back() -> None:
    listing = {
        "nftables": [
            {"metainfo": {"version": "1"}},
            {"table": {"family": "inet", "name": "alonzo_a"}},
            {"table": {"family": "inet", "name": "alonzo_b"}},
            {"table": {"family": "ip", "name": "nat"}},
            {"set": {"table": "alonzo_a", "name": "changed", "elem": ["eth0", "wlan0"]}},
            {"set": {"table": "alonzo_b", "name": "changed"}},
            {"set": {"table": "other", "name": "changed", "elem": ["x"]}},
            {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward",
                       "policy": "drop"}},
            {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input",
                       "policy": "drop"}},
            {"chain": {"family": "ip", "table": "filter", "name": "plain"}},
        ]
    }  # fmt: skip
    found = ruleset.read(json.dumps(listing))
    assert found.changed == {"alonzo_a": {"eth0", "wlan0"}, "alonzo_b": frozenset()}
    assert found.dropping == ("ip filter FORWARD",)


def test_an_interface_with_a_strange_name_stays_a_name() -> None:
    pool = IPv4Network("100.64.0.0/16")
    text = ruleset.rules("alonzo_a", prefix="alz1-", pool=pool, changed={"br-12 x"})
    assert 'elements = { "br-12 x" }' in text


def test_a_request_says_what_it_is_for_when_it_is_refused() -> None:
    with rtnetlink.Rtnetlink() as links, pytest.raises(OSError, match="No such device") as refused:
        links.run([rtnetlink.link_up("none-such")])
    assert refused.value.filename == "bring none-such up"


def test_the_loopback_is_found() -> None:
    with rtnetlink.Rtnetlink() as links:
        assert ("lo", 1) in [(link.name, link.index) for link in links.links()]
        assert all(socket.inet_aton(one) for one in links.addresses())
        links.run([])
        assert isinstance(links.routes(), list)


def test_a_pair_has_one_hardware_address() -> None:
    body = rtnetlink.veth("alz1-1", peer="eth0", peer_namespace=3, mtu=1400).body
    start = body.index(struct.pack("=HH", 10, 1)) + 4
    assert body.count(body[start : start + 6]) == 2
    assert not body[start] & 1  # a single host's, and
    assert body[start] & 2  # given by whoever runs it


def test_networks_that_need_nothing_say_what_they_are() -> None:
    assert no_network("").layer.active
    assert no_network("why not").layer == no_network("why not").layer
    assert not no_network("why not").layer.active
    host = host_network("nameserver 9.9.9.9\n")
    assert (host.shared, host.order("x")["kind"]) == (True, "host")
    assert not host.layer.active
    assert no_network("").order("x") == {"kind": "none", "relayed": False}


@pytest.mark.parametrize("network", ["none", "nat"])
def test_no_isolation_cannot_have_a_network_of_its_own(network, tmp_path) -> None:
    with pytest.raises(ConfigError, match="--isolation none"):
        Config(tmp_path, isolation="none", network=network).check()
    Config(tmp_path, isolation="none", network="host").check()

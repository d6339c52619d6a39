"""``nat`` as root: a pair of interfaces for each sandbox, and one table of rules between them.

What it changes on the host, and how each goes away again:

* a table of the packet filter (``ruleset.py``);
* a route that refuses the pool as a whole, so that no other program takes it, and no packet for a
  sandbox that is gone leaves the host. It is made first and removed last: who finds it finds a
  daemon that died;
* ``net.ipv4.conf.<interface>.forwarding`` of the host's interfaces where it was 0, with a rule that
  such a host forwards for us alone. The global switch ``net.ipv4.ip_forward`` stays as it is.

The interfaces end with the sandboxes' namespaces: the kernel takes 17 ms to remove one on request.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from typing import Any, TypeVar

from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.namespaces.inside import network as inside
from alonzo.sandbox.backends.namespaces.inside import rtnetlink
from alonzo.sandbox.backends.namespaces.inside import syscalls as sys
from alonzo.sandbox.backends.namespaces.inside.rtnetlink import Rtnetlink
from alonzo.sandbox.backends.namespaces.network import pools, ruleset
from alonzo.sandbox.backends.namespaces.network.base import NetworkError
from alonzo.sandbox.backends.namespaces.network.names import Names, names_behind
from alonzo.sandbox.backends.namespaces.network.pools import Leases, PoolError
from alonzo.sandbox.base import NETWORK_LAYER, Layer

log = logging.getLogger("alonzo.sandbox")

T = TypeVar("T")

#: Asks for the network namespace of a socket.
_SIOCGSKNS = 0x894C

_NFT_S_MAX = 10.0

#: Where ``nft`` is on a host whose PATH lacks the administrator's programs.
_NFT_PLACES = "/usr/sbin:/sbin:/usr/local/sbin"

#: Longest wait for the interfaces of a daemon that died to go with its namespaces.
_SWEEP_S_MAX = 5.0
_SWEEP_PAUSE_S = 0.01

#: Notices of addresses that come and go (RTMGRP_IPV4_IFADDR). Our own interfaces have none.
_ADDRESS_NOTICES = 0x10

#: A sandbox's packets are no longer than those of the host's smallest way out, nor than this.
_MTU_MAX = 1500

#: The number of the try at start; sandboxes begin at 1.
_TRIAL = 0


class Nat:
    """See ``Network``. Made by ``open()``."""

    shared = False

    def __init__(self, instance: str, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        self._prefix = pools.interface_prefix(instance)
        self._mark = pools.owner_mark(instance)
        self._table = ruleset.table_of(instance)
        self._nft = ""
        self._pool = IPv4Network("0.0.0.0/32")
        self._mtu = _MTU_MAX
        self._leases: Leases | None = None
        self._names = Names("", relayed=False)
        self._own: tuple[str, ...] = ()
        self._notices: socket.socket | None = None
        self._tasks = TaskScope()
        self._changing = threading.Lock()
        self._dropping: tuple[str, ...] = ()

    @property
    def layer(self) -> Layer:
        """See ``Network``."""
        detail = "nat: veth pairs and nftables"
        if self._dropping:
            detail += (
                f"; the host's own rules ({', '.join(self._dropping)}) drop what is forwarded: "
                f'have them accept iifname and oifname "{pools.ANY_PREFIX}*"'
            )
        return Layer(NETWORK_LAYER, True, detail)

    @property
    def resolv_conf(self) -> str:
        """See ``Network``."""
        return self._names.resolv_conf

    @property
    def relayed(self) -> bool:
        """See ``Network``."""
        return self._names.relayed

    async def open(self, resolv_conf: str) -> None:
        """Set the host up, and connect a namespace once to see that it works.

        Raises:
            NetworkError: it does not; nothing is left of the attempt.
        """
        try:
            await asyncio.to_thread(self._open, resolv_conf)
        except BaseException:
            await self.close()
            raise
        self._notices = _address_notices()
        asyncio.get_running_loop().add_reader(self._notices.fileno(), self._addresses_changed)

    def order(self, sandbox_id: str) -> dict[str, Any]:
        """See ``Network``."""
        assert self._leases is not None
        try:
            return self._order(self._leases.take(sandbox_id))
        except PoolError as err:
            raise NetworkError(f"sandbox {sandbox_id}, network: {err}") from err

    def _order(self, number: int) -> dict[str, Any]:
        return {
            "kind": "veth",
            "name": f"{self._prefix}{number}",
            "address": str(self._pool[number]),
            "mtu": self._mtu,
            "relayed": self.relayed,
            # The host would drop these without a word; a program had better learn it at once.
            "unreachable": [*pools.NEVER, str(self._pool), *self._own],
        }

    async def join(
        self, sandbox_id: str, listeners: Mapping[int, socket.socket]
    ) -> tuple[socket.socket, ...]:
        """See ``Network``."""
        if not listeners:
            return ()
        order = self.order(sandbox_id)
        inner = next(iter(listeners.values())).dup()  # it may be closed meanwhile
        try:
            made = await asyncio.to_thread(in_own_thread, lambda: _join(order, inner))
        except OSError as err:
            raise NetworkError(f"sandbox {sandbox_id}, {err.filename}: {err.strerror}") from err
        finally:
            inner.close()
        return tuple(made)

    async def uplink(self) -> int | None:
        """See ``Network``."""

    def release(self, sandbox_id: str) -> None:
        """See ``Network``."""
        if self._leases is not None:
            self._leases.give_back(sandbox_id)

    async def close(self) -> None:
        """See ``Network``."""
        if self._notices is not None:
            asyncio.get_running_loop().remove_reader(self._notices.fileno())
            self._notices.close()
            self._notices = None
        await self._tasks.close()
        try:
            await asyncio.to_thread(self._sweep)
        except (OSError, NetworkError):  # the next start tries again
            log.exception("network.not_swept")

    # -- in a thread: the kernel's one lock over all interfaces can take its time ----------------

    def _open(self, resolv_conf: str) -> None:
        self._nft = _find_nft()
        self._sweep()
        try:
            with Rtnetlink() as links:
                self._wait_for_old_interfaces(links)
                self._claim_pool(links)
                self._install(links)
                own = dict.fromkeys(links.addresses())
                self._names = names_behind(resolv_conf, own=own.keys())
                self._own = tuple(f"{one}/32" for one in own if not one.startswith("127."))
            self._try()
        except PoolError as err:
            raise NetworkError(str(err)) from err
        except OSError as err:
            raise NetworkError(f"{err.filename or 'nat'}: {err.strerror}; {_fix(err)}") from err
        self._leases = Leases(self._pool)

    def _claim_pool(self, links: Rtnetlink) -> None:
        self._pool = pools.choose_pool(self._instance, [route.to for route in links.routes()])
        links.run([rtnetlink.unreachable(str(self._pool), self._mark)])

    def _install(self, links: Rtnetlink) -> None:
        existing = ruleset.read(self._run_nft("--json", "list", "ruleset"))
        self._dropping = existing.dropping
        ways_out = self._ways_out(links)
        self._mtu = min([_MTU_MAX, *(link.mtu for link in ways_out)])
        changing = {link.name for link in ways_out if not link.forwarding}
        inherited = frozenset[str]().union(*existing.changed.values())
        text = ruleset.rules(
            self._table, prefix=self._prefix, pool=self._pool, changed=changing | inherited
        )
        self._run_nft("-f", "-", text=text)
        links.run([rtnetlink.forward(name, on=True) for name in sorted(changing)])

    def _ways_out(self, links: Rtnetlink) -> list[rtnetlink.Link]:
        """The host's interfaces that lead anywhere."""
        used = {route.link for route in links.routes() if route.kind == rtnetlink.RTN_UNICAST}
        return [
            link
            for link in links.links()
            if link.index in used and link.name != "lo" and not _ours(link.name)
        ]

    def _try(self) -> None:
        """Connect one namespace, which ends with the thread."""

        def attempt() -> None:
            with inside.Outside() as outside:
                sys.unshare(sys.CLONE_NEWNET)
                inside.loopback_up()
                inside.join(self._order(_TRIAL), outside)

        in_own_thread(attempt)

    def _wait_for_old_interfaces(self, links: Rtnetlink) -> None:
        """Interfaces go with the processes that died; those that do not are removed."""
        deadline_s = self._clock.monotonic_s() + _SWEEP_S_MAX
        while old := [link for link in links.links() if link.name.startswith(self._prefix)]:
            if self._clock.monotonic_s() > deadline_s:
                links.run([rtnetlink.delete_link(link.index, link.name) for link in old])
            threading.Event().wait(_SWEEP_PAUSE_S)

    def _sweep(self) -> None:
        """Undo what was changed on the host, by us or by a daemon of our name that died."""
        with self._changing, contextlib.suppress(PermissionError), Rtnetlink() as links:
            claims = [
                route.to
                for route in links.routes()
                if (route.protocol, route.metric) == (rtnetlink.OUR_ROUTES, self._mark)
            ]
            if not claims:
                return
            self._nft = self._nft or shutil.which("nft", path=_search_path()) or ""
            if self._nft:
                self._remove_rules(links)
            links.run([rtnetlink.delete_unreachable(str(claim), self._mark) for claim in claims])

    def _remove_rules(self, links: Rtnetlink) -> None:
        changed = ruleset.read(self._run_nft("--json", "list", "ruleset")).changed
        mine = changed.pop(self._table, frozenset())
        present = {link.name for link in links.links()}
        alone = (mine & present).difference(*changed.values())
        links.run([rtnetlink.forward(name, on=False) for name in sorted(alone)])
        self._run_nft("-f", "-", text=ruleset.no_table(self._table))

    def _run_nft(self, *arguments: str, text: str = "") -> str:
        try:
            done = subprocess.run(
                [self._nft, *arguments],
                input=text,
                capture_output=True,
                text=True,
                env={},
                timeout=_NFT_S_MAX,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as err:
            raise NetworkError(f"{self._nft}: {err}") from err
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[:1] or [f"status {done.returncode}"]
            raise NetworkError(
                f"nft: {said[0]}; for nat, run as root on a kernel with nf_tables, nft_fib, "
                "nft_masq and nft_connlimit"
            )
        return done.stdout

    # -- addresses that come later -----------------------------------------------------------------

    def _addresses_changed(self) -> None:
        assert self._notices is not None
        with contextlib.suppress(OSError):  # lost notices say the same as one more
            while self._notices.recv(1 << 16):
                pass
        self._tasks.spawn(asyncio.to_thread(self._follow), name="network.follow")

    def _follow(self) -> None:
        """Let interfaces that lead somewhere only now take part."""
        try:
            with self._changing, Rtnetlink() as links:
                new = [link.name for link in self._ways_out(links) if not link.forwarding]
                if new and self._notices is not None:
                    self._run_nft("-f", "-", text=ruleset.add_changed(self._table, new))
                    links.run([rtnetlink.forward(name, on=True) for name in new])
        except (OSError, NetworkError):
            log.exception("network.not_followed")


def in_own_thread(work: Callable[[], T]) -> T:
    """Do what changes a thread's namespaces in one that nobody uses afterwards.

    Raises:
        OSError: ``work`` did.
    """
    results: list[T] = []
    failures: list[OSError] = []

    def run() -> None:
        try:
            results.append(work())
        except OSError as err:
            failures.append(err)

    thread = threading.Thread(target=run, name="alonzo-network")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _join(order: dict[str, Any], inner: socket.socket) -> list[socket.socket]:
    """Connect the namespace of the socket ``inner``, from outside."""
    with inside.Outside() as outside:
        namespace: int = fcntl.ioctl(inner, _SIOCGSKNS)
        try:
            sys.setns(namespace, sys.CLONE_NEWNET)
        finally:
            os.close(namespace)
        inside.join(order, outside)
        return inside.resolver_sockets() if order["relayed"] else []


def _ours(name: str) -> bool:
    return name.startswith(pools.ANY_PREFIX)


def _search_path() -> str:
    return f"{os.defpath}:{_NFT_PLACES}"


def _find_nft() -> str:
    found = shutil.which("nft", path=_search_path())
    if found is None:
        raise NetworkError(
            "the program nft is missing; for nat, install the package nftables "
            "(apt-get install nftables, dnf install nftables)"
        )
    return found


def _fix(err: OSError) -> str:
    if isinstance(err, PermissionError):
        return "for nat, run as root with CAP_NET_ADMIN and CAP_SYS_ADMIN"
    return "for nat, a kernel with veth pairs is needed"


def _address_notices() -> socket.socket:
    notices = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    notices.bind((0, _ADDRESS_NOTICES))
    notices.setblocking(False)
    return notices

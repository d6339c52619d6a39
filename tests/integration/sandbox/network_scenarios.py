"""What sandboxes reach and what not, as one coroutine each, in a world of its own.

``python network_scenarios.py NAME FOLDER``, in a network namespace that nobody else is in.
"""
# ruff: noqa: ASYNC220 - short programs of a test, which nothing waits beside

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bench import refused, until
from datagram_scenarios import TO_A_GROUP, each_sandbox_gets_its_own_answers_alone
from network_bench import FIND, backend, be_daemon, layer, name_servers, nft, reached, state_of_host
from network_user_scenarios import OF_USERS
from ready_scenarios import a_network_made_ahead_is_as_one_made_when_needed
from worlds import (
    FAR,
    HOST,
    HOST_IN_LAN,
    HOST_PORT,
    INTERNET,
    LAN,
    METADATA,
    PORT,
    SITE,
    World,
    datagram,
    namespace_of,
    own_namespace,
    with_option,
    within,
)

from alonzo.lib.clock import SystemClock
from alonzo.sandbox.backends.namespaces.inside.rtnetlink import Rtnetlink
from alonzo.sandbox.backends.namespaces.network import nat, ruleset


async def a_sandbox_reaches_the_world_by_the_hosts_address(world: World, _: Path) -> None:
    async with backend("nat") as bench:
        assert layer(bench).active
        box = await bench.sandbox()
        assert await reached(bench, box, (SITE, PORT), (INTERNET, PORT)) == [HOST, HOST]
        assert (await reached(bench, box, (LAN, PORT)))[0].startswith("refused")  # nobody listens


async def names_are_asked_of_the_hosts_server(world: World, folder: Path) -> None:
    name_servers(folder, INTERNET)
    async with backend("nat") as bench:
        box = await bench.sandbox()
        assert (await bench.python(box, FIND))[1].strip() == SITE
        assert "\x07example" in world.asked[0]
        _, text = await bench.run(box, "/bin/cat", "/etc/resolv.conf")
        assert text == f"nameserver {INTERNET}\n"
        code = "import socket; print(socket.gethostbyname('sandbox.localdomain'))"
        assert (await bench.python(box, code))[1].strip() == "127.0.0.1"


async def names_are_relayed_where_the_hosts_server_is_out_of_reach(
    world: World, folder: Path
) -> None:
    name_servers(folder, "127.0.0.9", "127.0.0.53")
    for kind, answer in ((socket.SOCK_DGRAM, world._name), (socket.SOCK_STREAM, world._stream)):
        server = socket.socket(socket.AF_INET, kind)
        server.bind(("127.0.0.53", 53))
        if kind is socket.SOCK_STREAM:
            server.listen()
        world.serve(server, answer)
    async with backend("nat") as bench:
        boxes = [await bench.sandbox() for _ in range(2)]
        for box in boxes:
            assert (await bench.python(box, FIND))[1].strip() == SITE
        # Over a stream, as libc does when an answer does not fit a datagram.
        vc = {"RES_OPTIONS": "use-vc"}
        assert (await bench.python(boxes[0], FIND, environment=vc))[1].strip() == SITE
        # Nonsense, and floods of it, hurt nobody.
        code = """
import os, socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
    for size in (0, 1, 11, 12, 600, 5000, *[40] * 3000):
        peer.sendto(os.urandom(size), ('127.0.0.1', 53))
held = []
for _ in range(100):
    peer = socket.create_connection(('127.0.0.1', 53))
    peer.sendall(b'\\xff\\xff')
    held.append(peer)
print('flooded')
"""
        world.answer = lambda question: question[:12]
        assert "flooded" in (await bench.python(boxes[0], code))[1]
        del world.answer
        assert (await bench.python(boxes[1], FIND))[1].strip() == SITE


async def without_a_network_everything_fails_at_once(world: World, folder: Path) -> None:
    name_servers(folder, INTERNET)
    async with backend("none") as bench:
        assert layer(bench).active
        box = await bench.sandbox()
        code = (
            "import socket\ntry: socket.gethostbyname('some.example')\n"
            "except socket.gaierror as err: print(err.errno == socket.EAI_AGAIN)"
        )
        # A resolver that waits for an answer would wait for ten seconds.
        assert (await bench.python(box, code, within_s=4.0))[1].strip() == "True"
        assert await reached(bench, box, (SITE, PORT)) == ["refused: Network is unreachable"]
        assert "alonzo" not in nft("list", "tables")
    assert not world.asked


async def what_must_not_be_reached_is_not(world: World, _: Path) -> None:
    """By a program that may do what a function may."""
    async with backend("nat") as bench:
        box, other = await bench.sandbox(), await bench.sandbox()
        listen = (
            "import socket, time; s = socket.socket(); s.bind(('0.0.0.0', 7000)); s.listen();"
            "print('ready', flush=True); time.sleep(60)"
        )
        await bench.begin(other, listen)
        inside = "import fcntl, socket, struct; s = socket.socket(); print(socket.inet_ntoa("
        inside += "fcntl.ioctl(s, 0x8915, struct.pack('256s', b'eth0'))[20:24]))"
        address = (await bench.python(other, inside))[1].strip()
        targets = [
            *((one, HOST_PORT) for one in ("127.0.0.1", "127.8.8.8", HOST, HOST_IN_LAN, "0.0.0.0")),
            *((one, PORT) for one in METADATA),
            (address, 7000),
            ("::1", HOST_PORT),
            ("fe80::1%eth0", HOST_PORT),
            ("2001:db8::1", PORT),
            (f"::ffff:{HOST}", HOST_PORT),
        ]
        world.connections.clear()
        for bound in (False, True):
            results = await reached(bench, box, *targets, bound=bound)
            assert all(one.startswith("refused") for one in results), results
        assert not world.connections
        code = f"""
import socket
tried = []
def attempt(name, work):
    try:
        work()
        tried.append(name)
    except OSError:
        pass
def spoof():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
        peer.bind(('{address}', 5555))
        peer.sendto(b'spoofed', ('{SITE}', 9))
def broadcast(where):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        peer.sendto(b'broadcast', (where, 9))
def raw(*kind):
    socket.socket(*kind).close()
attempt('spoof', spoof)
for where in ('255.255.255.255', '224.0.0.1', '198.51.100.255'):
    attempt('broadcast', lambda: broadcast(where))
attempt('raw', lambda: raw(socket.AF_INET, socket.SOCK_RAW, 17))
attempt('raw 6', lambda: raw(socket.AF_INET6, socket.SOCK_RAW, 17))
attempt('packet', lambda: raw(17, socket.SOCK_RAW, 0))
attempt('transparent', lambda: socket.socket().setsockopt(socket.IPPROTO_IP, 19, 1))
import json
print(json.dumps(tried))
"""
        # A broadcast may leave the sandbox, and gets no further.
        done = json.loads((await bench.python(box, code))[1])
        assert set(done) <= {"broadcast"}, done
        assert await reached(bench, box, (SITE, PORT)) == [HOST]
        assert not [one for one in world.seen if b"broadcast" in one or b"spoofed" in one]


async def the_host_drops_what_got_past_the_kernels_guard_inside(world: World, _: Path) -> None:
    """Whoever holds every privilege in the sandbox's network sends as he likes."""
    async with backend("nat") as bench:
        box, other = [await bench.sandbox(listen_ports=(9001,)) for _ in range(2)]
        spaces = [namespace_of(one.listeners[9001]) for one in (box, other)]

        def own_address() -> str:
            with Rtnetlink() as links:
                return next(one for one in links.addresses() if one != "127.0.0.1")

        mine, others = [within(space, own_address) for space in spaces]
        received: list[bytes] = []
        for space in (own_namespace(), spaces[1]):
            bound = within(space, lambda: _datagrams(9))
            world.serve(bound, lambda bound: received.append(bound.recv(100)))
        attacks = [
            *((mine, one) for one in (HOST, HOST_IN_LAN, "127.0.0.1", *METADATA, others)),
            *((mine, one) for one in ("255.255.255.255", "224.0.0.1", "198.51.100.255")),
            *((one, SITE) for one in (others, HOST, "127.0.0.1", "203.0.113.77", LAN, "0.0.0.0")),
            (others, HOST),
            (HOST, others),
            (SITE, HOST),
        ]
        marks = [f"attack {source} to {to}!".encode() for source, to in attacks]

        def send() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
                wire.bind(("eth0", 0))
                hardware = wire.getsockname()[4]
                for (source, to), mark in zip(attacks, marks, strict=True):
                    packet = datagram(source, to, 9, mark)
                    wire.send(hardware + hardware + b"\x08\x00" + packet)
                # An IPv6 packet to all nodes, and ARP for the host.
                six = b"\x60\0\0\0\0\x00\x3b\xff" + bytes(16) + b"\xff\x02" + bytes(13) + b"\x01"
                wire.send(b"\x33\x33\0\0\0\x01" + hardware + b"\x86\xdd" + six)
                # Those that name their way (loose source routing), and ask for it to be noted.
                for option in (b"\x83\x07\x04", b"\x07\x07\x04"):
                    plain = datagram(mine, SITE, 9, b"optional")
                    packet = with_option(plain, option + socket.inet_aton(HOST) + b"\0")
                    wire.send(hardware + hardware + b"\x08\x00" + packet)
                arp = b"\0\x01\x08\0\x06\x04\0\x01" + hardware + socket.inet_aton(mine)
                arp += bytes(6) + socket.inet_aton(HOST)
                wire.send(b"\xff" * 6 + hardware + b"\x08\x06" + arp)
                good = datagram(mine, SITE, 9, b"honest")
                wire.send(hardware + hardware + b"\x08\x00" + good)

        within(spaces[0], send)
        await until(lambda: any(b"honest" in one for one in world.seen))
        arrived = [mark for mark in marks if any(mark in one for one in (*world.seen, *received))]
        assert not arrived, arrived
        assert not any(b"optional" in one for one in world.seen)
        for space in spaces:
            os.close(space)


def _datagrams(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("0.0.0.0", port))
    return bound


async def nobody_reaches_into_a_sandbox_or_through_the_host(world: World, _: Path) -> None:
    async with backend("nat") as bench:
        box = await bench.sandbox(listen_ports=(9001,))
        space = namespace_of(box.listeners[9001])

        def listening() -> tuple[str, socket.socket]:
            with Rtnetlink() as links:
                address = next(one for one in links.addresses() if one != "127.0.0.1")
            listener = socket.create_server(("0.0.0.0", 7000))
            return address, listener

        address, listener = within(space, listening)
        os.close(space)

        def connect(where: str, port: int) -> bool:
            with socket.socket() as peer:
                peer.settimeout(0.4)
                return peer.connect_ex((where, port)) == 0

        lan = within(world.lan, lambda: socket.create_server(("0.0.0.0", 7000)))
        with listener, lan:
            assert connect(LAN, 7000)  # the host itself may
            assert not within(world.internet, lambda: connect(address, 7000))
            assert not within(world.lan, lambda: connect(address, 7000))
            assert not within(world.internet, lambda: connect(LAN, 7000))
            # A sandbox may reach its host's neighbours.
            assert (await reached(bench, box, (LAN, 7000)))[0] == "refused: TimeoutError"
            lan.settimeout(5)
            assert lan.accept()[1][0] == HOST_IN_LAN


async def the_host_is_left_as_it_was(world: World, _: Path) -> None:
    before = state_of_host()
    async with backend("nat") as bench:
        await bench.sandbox()
        during = state_of_host()
        assert ("up0", True) in during["links"]
        assert during["global"] == before["global"]
    await until(lambda: state_of_host() == before)


async def a_daemon_that_was_killed_is_swept_by_the_next(world: World, folder: Path) -> None:
    before = state_of_host()
    argv = [sys.executable, __file__, "--daemon", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        assert await asyncio.to_thread(daemon.stdout.readline) == b"ready\n"
        assert sum(name.startswith("alz") for name, _ in state_of_host()["links"]) == 3
        daemon.kill()
    # Interfaces go with the sandboxes, which go with their daemon.
    await until(lambda: not any(name.startswith("alz") for name, _ in state_of_host()["links"]))
    assert "alonzo_world" in nft("list", "tables")
    async with backend("nat") as bench:
        box = await bench.sandbox()
        assert await reached(bench, box, (SITE, PORT)) == [HOST]
    await until(lambda: state_of_host() == before)


async def a_daemon_that_was_killed_is_swept_by_one_without_a_network(
    world: World, folder: Path
) -> None:
    before = state_of_host()
    argv = [sys.executable, __file__, "--daemon", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        assert await asyncio.to_thread(daemon.stdout.readline) == b"ready\n"
        daemon.send_signal(signal.SIGKILL)
    async with backend("none"):
        await until(lambda: state_of_host() == before)


async def two_daemons_share_a_host(world: World, _: Path) -> None:
    before = state_of_host()
    async with contextlib.AsyncExitStack() as second:
        async with backend("nat", "one") as one:
            two = await second.enter_async_context(backend("nat", "two"))
            boxes = [await bench.sandbox() for bench in (one, two)]
            for bench, box in zip((one, two), boxes, strict=True):
                assert await reached(bench, box, (SITE, PORT)) == [HOST]
            routes = [f"{s}" for s in state_of_host()["routes"] if "/16" in s]
            assert len(set(routes)) == 2
        assert await reached(two, boxes[1], (SITE, PORT)) == [HOST]
    await until(lambda: state_of_host() == before)


async def a_hundred_sandboxes_reach_the_world_at_once(world: World, _: Path) -> None:
    async with backend("nat") as bench:
        boxes = await asyncio.gather(*(bench.sandbox() for _ in range(100)))
        for start in range(0, 100, 10):
            some = boxes[start : start + 10]
            got = await asyncio.gather(*(reached(bench, box, (SITE, PORT)) for box in some))
            assert got == [[HOST]] * 10
        await asyncio.gather(*(box.close() for box in boxes))
        await until(lambda: not [n for n, _ in state_of_host()["links"] if n.startswith("alz")])
        # The numbers of those that ended are free again.
        assert await reached(bench, await bench.sandbox(), (SITE, PORT)) == [HOST]


async def one_sandbox_cannot_use_up_the_hosts_memory_of_connections(world: World, _: Path) -> None:
    ruleset.FLOWS_MAX = 20
    async with backend("nat") as bench:
        box, other = await bench.sandbox(), await bench.sandbox()
        code = f"""
import socket
peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(60)]
for number, peer in enumerate(peers):
    peer.sendto(b'flow %d!' % number, ('{SITE}', 9))
"""
        await bench.python(box, code)
        assert await reached(bench, other, (SITE, PORT)) == [HOST]
        flows = [one for one in world.seen if b"flow " in one and one[9] == socket.IPPROTO_UDP]
        assert len(flows) == 20, len(flows)


async def the_hosts_network_is_shared_when_asked_for(world: World, _: Path) -> None:
    async with backend("host") as bench:
        assert not layer(bench).active
        boxes = [await bench.sandbox(listen_ports=(4566, 9001)) for _ in range(2)]
        ports = {one.getsockname()[1] for box in boxes for one in box.listeners.values()}
        assert len(ports) == 4
        assert [sorted(box.listeners) for box in boxes] == [[4566, 9001]] * 2
        targets = [("127.0.0.1", HOST_PORT), (SITE, PORT)]
        assert await reached(bench, boxes[0], *targets) == ["127.0.0.1", HOST]


async def a_way_out_that_comes_later_is_used(world: World, _: Path) -> None:
    async with backend("nat") as bench:
        box = await bench.sandbox()
        assert (await reached(bench, box, (SITE, PORT)))[0].startswith("refused")
        world.connect()
        await until(lambda: ("up0", True) in state_of_host()["links"])
        assert await reached(bench, box, (SITE, PORT)) == [HOST]
    assert ("up0", False) in state_of_host()["links"]


async def what_is_missing_is_said(world: World, _: Path) -> None:
    before = state_of_host()
    nat._NFT_PLACES = os.defpath = "/nowhere"
    async with backend(None) as bench:
        assert not layer(bench).active
        assert "none, since nat cannot be had" in layer(bench).detail
        assert "apt-get install nftables" in layer(bench).detail
        box = await bench.sandbox()
        assert await reached(bench, box, (SITE, PORT)) == ["refused: Network is unreachable"]
    with refused("NetworkError: --network nat: the program nft is missing"):
        async with backend("nat"):
            pass
    assert state_of_host() == before


async def a_sandbox_that_was_made_without_is_connected_from_outside(
    world: World, folder: Path
) -> None:
    """As clones of a template are, whose pid 1 may do nothing on the host."""
    connecting = nat.Nat("late", SystemClock())
    async with backend("none") as bench:
        box = await bench.sandbox(listen_ports=(9001,))
        assert (await reached(bench, box, (SITE, PORT)))[0].startswith("refused")
        await connecting.open("nameserver 127.0.0.53\n")
        try:
            sockets = await connecting.join("late", box.listeners)
            assert [one.getsockname() for one in sockets] == [("127.0.0.1", 53)] * 2
            for one in sockets:
                one.close()
            assert await reached(bench, box, (SITE, PORT)) == [HOST]
            assert (await reached(bench, box, (HOST, HOST_PORT)))[0].startswith("refused")
        finally:
            await connecting.close()


async def rules_of_the_host_in_the_way_are_named(world: World, _: Path) -> None:
    nft("add table ip firewall")
    nft("add chain ip firewall stop { type filter hook forward priority 0; policy drop; }")
    async with backend("nat") as bench:
        assert "ip firewall stop" in layer(bench).detail


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        a_sandbox_reaches_the_world_by_the_hosts_address,
        names_are_asked_of_the_hosts_server,
        names_are_relayed_where_the_hosts_server_is_out_of_reach,
        without_a_network_everything_fails_at_once,
        what_must_not_be_reached_is_not,
        each_sandbox_gets_its_own_answers_alone,
        the_host_drops_what_got_past_the_kernels_guard_inside,
        nobody_reaches_into_a_sandbox_or_through_the_host,
        the_host_is_left_as_it_was,
        a_daemon_that_was_killed_is_swept_by_the_next,
        a_daemon_that_was_killed_is_swept_by_one_without_a_network,
        two_daemons_share_a_host,
        a_hundred_sandboxes_reach_the_world_at_once,
        one_sandbox_cannot_use_up_the_hosts_memory_of_connections,
        the_hosts_network_is_shared_when_asked_for,
        a_way_out_that_comes_later_is_used,
        what_is_missing_is_said,
        a_sandbox_that_was_made_without_is_connected_from_outside,
        rules_of_the_host_in_the_way_are_named,
        a_network_made_ahead_is_as_one_made_when_needed,
    )
}
assert set(FAR) >= set(METADATA)


async def run(name: str, folder: Path) -> None:
    """One scenario in a world of its own."""
    world = World(connected=name != "a_way_out_that_comes_later_is_used")
    name_servers(folder, INTERNET)
    try:
        await SCENARIOS[name](world, folder)
        assert not any(TO_A_GROUP in one for one in world.seen)
    finally:
        world.close()


async def run_as_user(name: str, folder: Path) -> None:
    """One scenario in a world that root has made."""
    name_servers(folder, INTERNET)
    await OF_USERS[name](folder)


async def run_by_user(name: str, *command: str) -> None:
    """Make a world, and run a scenario as an ordinary user's in it."""
    world = World()
    try:
        user = await asyncio.create_subprocess_exec(*command)
        assert await user.wait() == 0
        assert set(world.connections) <= {HOST}
        assert not any(TO_A_GROUP in one for one in world.seen)
    finally:
        world.close()


def main() -> None:
    """Run what the command line says."""
    if sys.argv[1] == "--by-user":
        asyncio.run(run_by_user(*sys.argv[2:]))
        return
    if sys.argv[1] == "--as-user":
        asyncio.run(run_as_user(sys.argv[2], Path(sys.argv[3])))
        return
    if sys.argv[1] == "--daemon":
        asyncio.run(be_daemon(Path(sys.argv[2])))
        return
    try:
        asyncio.run(run(sys.argv[1], Path(sys.argv[2])))
    except BaseException:
        traceback.print_exc()
        sys.exit(1)


if __name__ == "__main__":
    main()

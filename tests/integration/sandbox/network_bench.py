"""What the scenarios of networks share: a backend with a network, and looks at what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import Bench

from alonzo.lib.clock import SystemClock
from alonzo.sandbox.backends.namespaces.backend import NamespaceBackend
from alonzo.sandbox.backends.namespaces.inside.rtnetlink import Rtnetlink
from alonzo.sandbox.backends.namespaces.network import opening
from alonzo.sandbox.base import ProcessSpec

INSTANCE = "world"

#: Connects to each of argv (address, port), and prints what each sent, or the error. Bound to an
#: interface, a socket gets round the routes that refuse. All wait beside each other.
CONNECT = """
import errno, json, os, select, socket, sys, time
def begin(address, port):
    peer = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    peer.setblocking(False)
    if "BOUND" in os.environ:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    try:
        peer.connect((address, int(port)))
    except OSError as err:
        if err.errno != errno.EINPROGRESS:
            return "refused: " + err.strerror
    return peer
deadline = time.monotonic() + 0.4
def end(peer):
    if isinstance(peer, str):
        return peer
    if not select.select([], [peer], [], max(0, deadline - time.monotonic()))[1]:
        return "refused: TimeoutError"
    failed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failed:
        return "refused: " + os.strerror(failed)
    peer.settimeout(5)
    try:
        return peer.recv(100).decode()
    except OSError as err:
        return "refused: " + (err.strerror or type(err).__name__)
peers = [begin(*target.rsplit("/", 1)) for target in sys.argv[1:]]
print(json.dumps([end(peer) for peer in peers]))
"""

FIND = "import socket; print(socket.gethostbyname('some.example'))"


@contextlib.asynccontextmanager
async def backend(mode, instance=INSTANCE):
    """A bench whose sandboxes have that network."""
    with tempfile.TemporaryDirectory() as folder:
        made = NamespaceBackend(
            run_dir=Path(folder) / "run",
            instance=instance,
            python=sys.executable,
            clock=SystemClock(),
            network=mode,
        )
        try:
            await made.open()
            yield Bench(made, Path(folder), instance)
        finally:
            await made.close()


def name_servers(folder: Path, *servers: str) -> None:
    """Have the host ask these."""
    opening.RESOLV_CONF = folder / "resolv.conf"
    opening.RESOLV_CONF.write_text("".join(f"nameserver {one}\n" for one in servers))


async def reached(bench: Bench, box, *targets: tuple[str, int], bound=False) -> list[str]:
    """What came of a connection to each target."""
    argv = [f"{host}/{port}" for host, port in targets]
    environment = {"BOUND": "1"} if bound else {}
    _, text = await bench.python(box, CONNECT, *argv, environment=environment)
    return json.loads(text)


def layer(bench: Bench):
    """What the backend says of its network."""
    (found,) = [one for one in bench.backend.layers if one.name == "network"]
    return found


def nft(*arguments: str) -> str:
    """What ``nft`` prints."""
    done = subprocess.run(["nft", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def state_of_host() -> dict[str, object]:
    """Everything that could be left behind."""
    with Rtnetlink() as links:
        return {
            "tables": nft("list", "tables"),
            "links": sorted((link.name, link.forwarding) for link in links.links()),
            "routes": sorted(map(str, links.routes())),
            "global": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        }


def processes(name: str) -> list[int]:
    """Our user's processes of that name."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            is_it = Path(f"/proc/{pid}/comm").read_text().strip() == name
            if is_it and os.stat(f"/proc/{pid}").st_uid == os.getuid():
                found.append(int(pid))
    return found


async def be_daemon(folder: Path) -> None:
    """Make three sandboxes, and wait to be killed."""
    async with backend("nat") as bench:
        for _ in range(3):
            box = await bench.sandbox()
            await box.start(ProcessSpec(("/bin/sleep", "60"), {}))
        print("ready", flush=True)
        await asyncio.sleep(60)

"""Foreign code that tries everything, in both ways of starting it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from bench import Bench  # noqa: TC002 - a module beside this file, not a dependency

from alonzo.sandbox.backends.namespaces.inside import syscalls as sys
from alonzo.sandbox.base import ExitStatus, Mount

ATTACKS = Path(__file__).with_name("attacks.py")


async def no_attack_succeeds(bench: Bench) -> None:
    mounts = (Mount(ATTACKS.parent, "/var/task"),)
    await _attack(bench, await bench.sandbox(memory_mib=128, mounts=mounts))


async def no_attack_succeeds_before_the_fit_either(bench: Bench) -> None:
    """Nobody may start foreign code then; if somebody does, it gets no further."""
    await _attack(bench, await bench.unfitted())


async def no_attack_succeeds_in_what_made_its_sandbox(bench: Bench) -> None:
    """As every first call of a function begins: the process has had all rights."""
    await _attack(bench, None)


async def _attack(bench: Bench, box) -> None:
    escaped = await successes(bench, box)
    assert not escaped, escaped


async def successes(bench: Bench, box) -> dict[str, str]:
    """What succeeded, with what came of it. Neither pid 1 nor a neighbour was hurt.

    Without ``box`` it is made by the process that attacks.
    """
    secret = f"planted-{os.getpid()}"
    os.environ["ALONZO_TEST_SECRET"] = secret
    hidden = bench.folder / "hidden"
    hidden.write_text("secret of the host")
    with socket.socket() as host, socket.socket(socket.AF_UNIX) as abstract:
        host.bind(("127.0.0.1", 0))
        host.listen()
        abstract.bind("\0" + secret)
        abstract.listen()
        peer = await bench.sandbox()
        peer_code = (
            "import socket, time\n"
            "open('/tmp/peer', 'w').write('x')\n"
            "a = socket.socket(); a.bind(('127.0.0.1', 9999)); a.listen()\n"
            "b = socket.socket(socket.AF_UNIX); b.bind('\\0peer-abstract'); b.listen()\n"
            "print('ready', flush=True); time.sleep(60)"
        )
        beside = await bench.begin(peer, peer_code)
        planted = {
            "secret": secret,
            "file": str(hidden),
            "folder": str(bench.folder),
            "port": host.getsockname()[1],
            "peer_port": 9999,
            "abstract": secret,
            "oom_settled": sys.CAP_SYS_RESOURCE in sys.permitted_capabilities(),
        }
        code = ATTACKS.read_text(), json.dumps(planted)
        if box is None:
            box, status, text = await bench.first(*code)
        else:
            status, text = await bench.python(box, *code)
    del os.environ["ALONZO_TEST_SECRET"]
    assert status == ExitStatus(code=0), text
    outcomes = json.loads(text)
    assert len(outcomes) > 80
    escaped = {name: out for name, out in outcomes.items() if not out.startswith("refused")}
    assert beside.exited is None
    assert (await bench.run(box, "/bin/true"))[0].code == 0, "pid 1 was hurt"
    return escaped


async def one_process_cannot_look_into_the_start_of_another(bench: Bench) -> None:
    """A second process of the sandbox is set up beside a hostile first one."""
    box = await bench.sandbox()
    code = (
        "import os\n"
        "os.write(1, b'ready')\n"
        "while True:\n"
        "  for name in os.listdir('/proc'):\n"
        "    if name.isdigit() and int(name) not in (os.getpid(), 1):\n"
        "      try: text = os.readlink(f'/proc/{name}/exe')\n"
        "      except OSError: continue\n"
        "      if 'true' not in text and 'python3' not in text: os.write(1, text.encode())\n"
    )
    spy = await bench.begin(box, code)
    for _ in range(10):
        assert (await bench.run(box, "/bin/true"))[0].code == 0
    assert spy.exited is None

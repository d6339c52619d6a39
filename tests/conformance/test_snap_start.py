"""SnapStart for real: a function is initialised once, and forked into sandboxes of their own."""

import asyncio
import json
import os
import shutil
import signal
from dataclasses import replace

import pytest

from alonzo.environments import environment as environments_room
from alonzo.model.errors import AwsError
from alonzo.sandbox.base import SandboxError
from alonzo.testing.environments import KEY, VERSION, failing_hook, run

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a snapshot needs a user id for each sandbox"),
    pytest.mark.skipif(shutil.which("python3.12") is None, reason="SnapStart begins with 3.12"),
    pytest.mark.timeout(60),
]

SNAP = replace(VERSION, version="1", runtime="python3.12", snap_start=True, memory_mib=256)


def scenario(tmp_path, code, steps, **settings):
    """Run ``steps`` with a function of that code."""

    async def prepared(world):
        world.write("code/handler.py", code)
        await steps(world)

    run(tmp_path, prepared, **settings)


async def call(world, event=None, **changes):
    """The result of a call, which must succeed."""
    outcome = await world.invoke(json.dumps(event or {}).encode(), version=SNAP, **changes)
    assert outcome.error_type is None, outcome.payload
    return json.loads(outcome.payload)


async def many(world, count, event=None):
    """The results of calls beside each other, so that each has an environment of its own."""
    return await asyncio.gather(*(call(world, event) for _ in range(count)))


UNIQUE = """
import os, random, secrets, ssl, tempfile, time, uuid
initialised = uuid.uuid4().hex
random.random(); ssl.RAND_bytes(8); tempfile.mktemp(); secrets.token_hex()
def handler(event, context):
    time.sleep(1.0)
    return {
        "init": initialised,
        "hash": hash("x"),
        "unique": [
            random.random(), uuid.uuid4().hex, os.urandom(8).hex(), secrets.token_hex(8),
            ssl.RAND_bytes(8).hex(), tempfile.mktemp(), str(uuid.uuid1()),
        ],
    }
"""


def test_twenty_restores_share_an_init_and_no_random_number(tmp_path):
    async def steps(world):
        results = await many(world, 20)
        assert len({each["init"] for each in results}) == 1
        assert len({each["hash"] for each in results}) == 1  # as on AWS
        for kind in zip(*(each["unique"] for each in results), strict=True):
            assert len(set(kind)) == 20

    scenario(tmp_path, UNIQUE, steps)


def test_fifty_restores_at_once_all_serve(tmp_path):
    async def steps(world):
        results = await many(world, 50)
        assert len({each["unique"][0] for each in results}) == 50
        assert len({each["init"] for each in results}) == 1

    scenario(tmp_path, UNIQUE, steps)


INSIDE = """
import json, os, signal, socket, time, urllib.request
os.makedirs("/tmp/data/deep")
open("/tmp/data/deep/model", "w").write("from init")
numbers = [1]
os.chdir("/tmp/data")
def status():
    lines = open("/proc/self/status").read().splitlines()
    return dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
def attempt(what):
    try: return [True, repr(what())]
    except OSError as error: return [False, error.errno]
def credentials(token):
    uri = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    request = urllib.request.Request(uri, headers={"Authorization": token})
    try: return json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as error: return error.code
def handler(event, context):
    if "crash" in event: os._exit(3)
    if "eat" in event: return len(bytearray(os.urandom(1 << 20)) * 400)
    listener = socket.create_server(("127.0.0.1", 8123))
    open("/tmp/mine", "x").write(str(numbers))
    numbers.append(2)
    peers = [name for name in os.listdir("/proc") if name.isdigit()]
    killed = attempt(lambda: os.kill(-1, signal.SIGTERM))
    time.sleep(1.0)
    if "keep" not in event: os.remove("/tmp/mine"), numbers.pop()
    facts = status()
    return {
        "peers": peers, "numbers": numbers, "killed": killed, "tmp": sorted(os.listdir("/tmp")),
        "folder": os.getcwd(),
        "model": open("/tmp/data/deep/model").read(), "port": listener.getsockname()[1],
        "variables": dict(os.environ), "uids": facts["Uid"].split(),
        "capabilities": [facts["Cap" + name] for name in ("Inh", "Prm", "Eff", "Amb")],
        "stream": context.log_stream_name, "cgroup": open("/proc/self/cgroup").read(),
        "setuid": attempt(lambda: os.setuid(0)), "hostname": socket.gethostname(),
        "descriptors": sorted(os.listdir("/proc/self/fd"))[:-1],
        "right": credentials(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]),
        "wrong": credentials("guess"),
    }
"""


def test_restored_environments_have_nothing_of_each_other(tmp_path):
    async def steps(world):
        results = await many(world, 6)
        for each in results:
            assert each["peers"] == ["2"]  # pid 1 is hidden
            assert each["killed"] == [False, 3]  # nobody is there, and pid 1 is another user's
            assert each["numbers"] == [1]
            assert each["tmp"] == ["data"]
            assert each["model"] == "from init"
            assert each["folder"] == "/tmp/data"
            assert each["capabilities"] == ["0000000000000000"] * 4
            assert each["setuid"] == [False, 1]
            assert set(each["cgroup"].split()) <= {
                line for line in each["cgroup"].split() if line.endswith(":/")
            }
            assert each["descriptors"] == ["0", "1", "2", "3", "4", "5"]  # its listener

    scenario(tmp_path, INSIDE, steps)


def test_the_variables_are_those_of_aws(tmp_path):
    async def steps(world):
        first, second = await many(world, 2)
        variables = first["variables"]
        assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
        assert not {"AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_STREAM_NAME"} & variables.keys()
        assert not [name for name in variables if "ALONZO" in name or "TELEMETRY" in name]
        assert first["stream"] is None
        assert first["right"]["AccessKeyId"] == "ASIA"
        assert first["wrong"] == 403
        token = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
        assert first["variables"][token] != second["variables"][token]

    scenario(tmp_path, INSIDE, steps)


def test_a_crashed_runtime_is_restored_again_with_its_tmp(tmp_path):
    async def steps(world):
        assert (await call(world, {"keep": 1}))["numbers"] == [1, 2]
        outcome = await world.invoke(b'{"crash": 1}', version=SNAP)
        assert outcome.error_type == "Runtime.ExitError"
        outcome = await world.invoke(b"{}", version=SNAP)
        assert b"FileExistsError" in outcome.payload  # /tmp is as it was, memory is not
        assert sum("RESTORE_REPORT" in line for line in world.lines) == 2

    scenario(tmp_path, INSIDE, steps)


def test_a_restored_environment_has_its_own_memory_limit(tmp_path):
    async def steps(world):
        outcome = await world.invoke(b'{"eat": 1}', version=SNAP)
        assert outcome.error_type == "Runtime.OutOfMemory"
        assert (await call(world))["numbers"] == [1]

    scenario(tmp_path, INSIDE, steps)


def test_the_log_tells_of_init_and_restore_as_on_aws(tmp_path):
    async def steps(world):
        await call(world)
        heads = [line.split()[0] for line in world.lines]
        assert heads == [
            *("INIT_START", "INIT_REPORT", "RESTORE_START", "RESTORE_REPORT"),
            *("START", "END", "REPORT"),
        ]
        report = world.lines[-1]
        assert "Init Duration" not in report
        restore = float(report.split("Restore Duration: ")[1].split()[0])
        billed = int(report.split("Billed Restore Duration: ")[1].split()[0])
        assert restore <= billed < restore + 1
        duration = float(report.split("Duration: ")[1].split()[0])
        total = int(report.split("Billed Duration: ")[1].split()[0])
        assert duration + billed <= total < duration + billed + 1

    scenario(tmp_path, INSIDE, steps)


HOOKS = """
import os
from snapshot_restore_py import register_after_restore, register_before_snapshot
order = []
register_before_snapshot(order.append, "before 1")
@register_before_snapshot
def second(): order.append("before 2")
register_after_restore(order.append, "after 1")
register_after_restore(lambda text, end: order.append(text + end), "after", end=" 2")
def handler(event, context): return order
"""


def test_hooks_run_last_first_before_and_first_first_after(tmp_path):
    async def steps(world):
        assert await world.pool.prepare(SNAP) is None
        for _ in range(2):
            assert await call(world) == ["before 2", "before 1", "after 1", "after 2"]

    scenario(tmp_path, HOOKS, steps)


def test_a_before_snapshot_hook_that_fails_fails_the_version(tmp_path):
    async def steps(world):
        failure = await world.pool.prepare(SNAP)
        assert failure.error_type == "Runtime.BeforeSnapshotError"
        assert failure.message == "division by zero"
        assert any("ZeroDivisionError" in line for line in world.lines)
        assert "Error Type: Runtime.BeforeSnapshotError" in world.lines[-1]

    scenario(tmp_path, failing_hook("before_snapshot"), steps)


def test_an_init_that_fails_fails_the_version(tmp_path):
    async def steps(world):
        failure = await world.pool.prepare(SNAP)
        assert failure.error_type == "Runtime.ImportModuleError"
        assert "No module named 'nowhere'" in failure.message

    scenario(tmp_path, "import nowhere", steps)


def test_an_after_restore_hook_that_fails_is_the_callers_error(tmp_path):
    async def steps(world):
        with pytest.raises(AwsError) as raised:
            await call(world)
        assert raised.value.code == "SnapStartException"
        report = next(line for line in world.lines if line.startswith("RESTORE_REPORT"))
        assert "Status: error\tError Type: Runtime.AfterRestoreError" in report

    scenario(tmp_path, failing_hook("after_restore"), steps)


def test_an_after_restore_hook_that_takes_too_long_is_the_callers_error(tmp_path, monkeypatch):
    async def steps(world):
        monkeypatch.setattr(environments_room, "RESTORE_S_MAX", 0.3)
        with pytest.raises(AwsError) as raised:
            await call(world)
        assert raised.value.code == "SnapStartTimeoutException"
        report = next(line for line in world.lines if line.startswith("RESTORE_REPORT"))
        assert report.endswith("Status: timeout")

    scenario(tmp_path, failing_hook("after_restore", "time.sleep(60)"), steps)


WARNED = """
import socket, threading, time
thread = threading.Thread(target=time.sleep, args=(600,), name="refresher", daemon=True)
thread.start()
one, other = socket.socketpair()
def handler(event, context): return [each.name for each in threading.enumerate()]
"""


def test_threads_and_open_connections_are_warned_of(tmp_path):
    async def steps(world):
        assert await call(world) == ["MainThread"]
        text = "\n".join(world.lines)
        assert "the snapshot holds threads: refresher:" in text
        assert "the snapshot holds open files and connections: socket:[" in text

    scenario(tmp_path, WARNED, steps)


def test_a_template_that_is_killed_is_made_again_and_its_forks_live_on(tmp_path):
    async def steps(world):
        first = await call(world)
        (supply,) = world.pool._snapshots._supplies.values()
        supply.source.home.runtime._process.signal(9)
        async with asyncio.timeout(10):
            while not supply.over:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        assert (await call(world))["init"] == first["init"]
        inits = {each["init"] for each in await many(world, 3)}
        assert len(inits) == 2  # one of the first template lives, the others are of the second

    scenario(tmp_path, UNIQUE, steps)


@pytest.mark.parametrize("whose", ["template", "clone"])
def test_a_killed_pid_1_takes_its_own_alone_and_the_next_call_is_served(tmp_path, whose):
    async def steps(world):
        first = await call(world)
        (supply,) = world.pool._snapshots._supplies.values()
        (environment,) = next(iter(world.pool._groups.values())).all
        home = supply.source.home if whose == "template" else environment._home
        signal.pidfd_send_signal(home.sandbox._pidfd, signal.SIGKILL)
        async with asyncio.timeout(10):
            await environment._home.sandbox.wait_ended()
        again = await call(world)
        assert (again["init"] == first["init"]) == (whose == "clone")

    scenario(tmp_path, UNIQUE, steps)


def test_the_end_of_a_version_is_the_end_of_its_template(tmp_path):
    async def steps(world):
        await call(world)
        (supply,) = world.pool._snapshots._supplies.values()
        world.pool.retire(KEY, frozenset())
        async with asyncio.timeout(10):
            await supply.source.home.sandbox.wait_ended()
        assert len(world.pool._snapshots) == 0

    scenario(tmp_path, UNIQUE, steps)


# What hostile code may try while it is the template. It may replace all of ours that is in it.

HOSTILE_INIT = """
import ctypes, os, uuid
libc = ctypes.CDLL(None, use_errno=True)
refused = []
for name in ("user", "mnt", "pid", "net", "uts"):
    for owner in ("self", "1"):
        try: descriptor = os.open("/proc/%s/ns/%s" % (owner, name), 0)
        except OSError as error: refused.append(error.errno); continue
        refused.append(ctypes.get_errno() if libc.setns(descriptor, 0) else "entered")
pidfd = os.pidfd_open(os.getpid())
refused.append(ctypes.get_errno() if libc.setns(pidfd, 0x02000000) else "entered")
refused.append(ctypes.get_errno() if libc.unshare(0x10000000) else "unshared")
refused.append(ctypes.get_errno() if libc.ptrace(0, 0, 0, 0) else "traced")
def handler(event, context): return refused
"""


def test_a_template_enters_no_namespace_by_itself(tmp_path):
    async def steps(world):
        assert set(await call(world)) <= {1, 2, 13, 38}

    scenario(tmp_path, HOSTILE_INIT, steps)


HOSTILE_FORK = """
import ctypes, os, sys
import _alonzo_snapshot as ours
CHANNEL = 3
def come(passed, order, libc):
    os.read(passed[0], 1)
    return passed[1:8]
def keeps_capabilities(order, passed, libc):
    namespaces = come(passed, order, libc)
    for each in namespaces: libc.setns(each, 0)
    os.open("/proc/self/uid_map", os.O_RDONLY)
def stays_root(order, passed, libc):
    for each in come(passed, order, libc): libc.setns(each, 0)
    uid = order["uid"]
    libc.setresgid(uid, uid, uid); libc.setresuid(0, 0, 0); libc.setresuid(0, 0, 0)
def stays_outside(order, passed, libc):
    come(passed, order, libc)
    if os.fork(): os._exit(0)
    ours._arrange(dict(zip(order["fds"], passed[8:])), passed)
def comes_half(order, passed, libc):
    namespaces = come(passed, order, libc)
    for each in namespaces[:1] * 7: libc.setns(each, 0)
def forks_with_capabilities(order, passed, libc):
    libc.setns(come(passed, order, libc)[0], 0)
    os.fork()
def executes(order, passed, libc):
    libc.setns(come(passed, order, libc)[0], 0)
    os.execv("/bin/sh", ["sh", "-c", "exec 3>&1; id > /tmp/x"])
def names_another(order, passed, libc): os._exit(0)
def leave(libc, order, passed):
    for each in passed[1:8]: libc.setns(each, 0)
    uid = order["uid"]
    libc.setresgid(uid, uid, uid); libc.setresuid(0, 0, 0); libc.setresuid(uid, uid, uid)
def forks_for_another_parent(order, passed, libc):
    os.read(passed[0], 1)
    leave(libc, order, passed)
    if libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0): os._exit(0)
def starts_a_thread(order, passed, libc):
    os.read(passed[0], 1)
    leave(libc, order, passed)
    import _thread; _thread.start_new_thread(lambda: None, ())
ours._enter = globals()[os.environ["ATTACK"]]
def handler(event, context): return "served"
"""

ATTACKS = (
    "keeps_capabilities",
    "stays_root",
    "stays_outside",
    "comes_half",
    "forks_with_capabilities",
    "executes",
    "names_another",
    "forks_for_another_parent",
    "starts_a_thread",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_fork_that_leaves_the_agreed_way_is_ended(tmp_path, attack):
    async def steps(world):
        with pytest.raises(SandboxError):
            await call(world, environment={"ATTACK": attack})

    scenario(tmp_path, HOSTILE_FORK, steps)


GREEDY = """
import _alonzo_snapshot as ours, ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
kept, real = [], os.close
loot = open("/tmp/loot", "w")
def keep(descriptor):
    try: target = os.readlink("/proc/self/fd/%d" % descriptor)
    except OSError: target = ""
    if ":[" in target and not libc.setns(descriptor, 0): os._exit(9)
    real(descriptor)
ours.os = type(os)("os"); ours.os.__dict__.update(os.__dict__); ours.os.close = keep
def handler(event, context): return "served"
"""


def test_what_a_template_keeps_of_a_fork_opens_nothing(tmp_path):
    async def steps(world):
        for _ in range(2):
            assert await call(world) == "served"
        # Had it got anywhere, it would have ended, and been made again.
        assert sum("INIT_START" in line for line in world.lines) == 1

    scenario(tmp_path, GREEDY, steps)

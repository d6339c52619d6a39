"""What hostile code inside a function can see and do: nothing, and nothing.

The sandbox has its own battery of attacks; here a function attacks through the whole platform.
"""

import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

SECRET = "planted-" + os.urandom(8).hex()

PROBE = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)

def attempt(action):
    try:
        return repr(action())[:200]
    except BaseException as error:
        return type(error).__name__

def system_call(number, *arguments):
    result = libc.syscall(number, *arguments)
    return result if result >= 0 else os.strerror(ctypes.get_errno())

def connect(family, address):
    s = socket.socket(family); s.settimeout(2); s.connect(address); return "connected"

def every_file_text(root, needle):
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                # Without waiting: an ordinary user may open its own pipes here, which are empty.
                fd = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NONBLOCK)
                try:
                    if needle in os.read(fd, 1 << 20): return os.path.join(folder, name)
                finally:
                    os.close(fd)
            except OSError:
                pass

def handler(event, context):
    status = dict(l.split(":", 1) for l in open("/proc/self/status").read().splitlines())
    return {
        "uid": os.getuid(), "caps": status["CapEff"].strip(), "bounding": status["CapBnd"].strip(),
        "no_new_privs": status["NoNewPrivs"].strip(), "seccomp": status["Seccomp"].strip(),
        "processes": sorted(int(d) for d in os.listdir("/proc") if d.isdigit()),
        "root": sorted(os.listdir("/")), "tmp": os.listdir("/tmp"),
        "host_file": attempt(lambda: open(event["file"]).read()),
        "secret": attempt(lambda: every_file_text("/proc", event["secret"].encode())),
        "own_secret": event["secret"] in str(dict(os.environ)),
        "host_port": attempt(lambda: connect(socket.AF_INET, ("127.0.0.1", event["port"]))),
        "abstract": attempt(lambda: connect(socket.AF_UNIX, "\\0" + event["abstract"])),
        "metadata": attempt(lambda: connect(socket.AF_INET, ("169.254.169.254", 80))),
        "raw": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        "packet": attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)),
        "write_code": attempt(lambda: open("/var/task/x", "w")),
        "write_usr": attempt(lambda: open("/usr/x", "w")),
        "write_etc": attempt(lambda: open("/etc/x", "w")),
        "kill_init": attempt(lambda: os.kill(1, 9)),
        "chroot": attempt(lambda: os.chroot("/tmp")),
        "setuid": attempt(lambda: os.setuid(0)),
        "mknod": attempt(lambda: os.mknod("/tmp/d", 0o60600, os.makedev(254, 0))),
        "ptrace": system_call(101, 16, 1, 0, 0),
        "mount": system_call(165, b"a", b"/tmp", b"tmpfs", 0, 0),
        "unshare": system_call(272, 0x10000000), "bpf": system_call(321, 0, 0, 0),
        "keyctl": system_call(250, 0, 0, 0), "setns": system_call(308, 0, 0),
        "sysctl": attempt(lambda: open("/proc/sys/kernel/hostname", "w")),
        "fds": sorted(int(d) for d in os.listdir("/proc/self/fd")),
    }
"""


@pytest.fixture
def guarded(own_platform):
    """A platform whose own environment holds a secret."""
    return own_platform(PLANTED_SECRET=SECRET)


def test_a_function_sees_nothing_of_the_host(guarded, tmp_path):
    from alonzo.testing.functions import deploy

    (tmp_path / "host").write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as hidden:
        hidden.bind("\0" + SECRET)
        hidden.listen()
        probe = deploy(guarded.client("lambda"), "probe", PROBE, Timeout=30)
        found = probe.invoke({
            "file": str(tmp_path / "host"), "secret": SECRET,
            "port": server.getsockname()[1], "abstract": SECRET,
        }).json  # fmt: skip
    assert "uid" in found, found
    assert found["uid"] != 0
    assert (found["caps"], found["bounding"]) == ("0" * 16, "0" * 16)
    assert (found["no_new_privs"], found["seccomp"]) == ("1", "2")
    assert set(found["processes"]) <= {1, 2}
    assert set(found["root"]) <= {
        "bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "mnt", "opt", "proc", "run", "sbin",
        "sys", "tmp", "usr", "var", "home", "root",
    }  # fmt: skip
    assert found["tmp"] == []
    assert found["host_file"] == "FileNotFoundError"
    # The one place where the secret is: this very event, in this very process.
    assert SECRET not in found["secret"]
    assert (
        found["secret"] == "None" or "/proc/self/" in found["secret"] or "/mem" in found["secret"]
    )
    assert not found["own_secret"]
    assert found["host_port"] == "ConnectionRefusedError"
    assert found["abstract"] == "ConnectionRefusedError"
    assert found["metadata"] == "OSError"
    refused = ("PermissionError", "OSError", "Operation not permitted")
    attacks = (
        "raw packet write_code write_usr write_etc chroot setuid mknod "
        "ptrace mount unshare bpf keyctl setns sysctl"
    )
    for attack in attacks.split():
        assert found[attack] in refused, (attack, found[attack])
    assert found["kill_init"] in ("PermissionError", "None"), "process 1 takes no such signal"
    assert set(found["fds"]) <= {0, 1, 2, 3, 4, 5}


PEER = """
import os, socket, threading
def handler(event, context):
    if event == "plant":
        open("/tmp/planted", "w").write("x")
        s = socket.socket(); s.bind(("127.0.0.1", 7777)); s.listen(); globals()["kept"] = s
        u = socket.socket(socket.AF_UNIX); u.bind("\\0planted"); u.listen(); globals()["kept2"] = u
        return os.getpid()
    def connect(family, address):
        try:
            s = socket.socket(family); s.settimeout(2); s.connect(address); return True
        except OSError:
            return False
    return [os.path.exists("/tmp/planted"), connect(socket.AF_INET, ("127.0.0.1", 7777)),
            connect(socket.AF_UNIX, "\\0planted"),
            len([d for d in os.listdir("/proc") if d.isdigit()])]
"""


def test_a_function_sees_nothing_of_its_neighbour(function):
    one, other = function(PEER), function(PEER)
    one.invoke("plant")
    exists, tcp, unix, processes = other.invoke("look").json
    assert (exists, tcp, unix) == (False, False, False)
    assert processes <= 2


def test_memory_over_the_limit_ends_the_one_and_no_other(function):
    hungry = function(
        "def handler(event, context): x = bytearray(1 << 30); x[::4096] = b'1' * (1 << 18)"
    )
    neighbour = function("import time\ndef handler(event, context): time.sleep(1); return 'calm'")
    neighbour.invoke()
    with ThreadPoolExecutor(2) as threads:
        calm = threads.submit(neighbour.invoke)
        failed = threads.submit(hungry.invoke).result()
        assert failed.json["errorType"] == "Runtime.OutOfMemory"
        assert calm.result().json == "calm"


BOMB = """
import os, time
def handler(event, context):
    made = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(600); os._exit(0)
            made += 1
    except OSError:
        return made
"""


def test_a_fork_bomb_is_contained_and_a_timeout_ends_all_of_it(function, platform, eventually):
    from alonzo.testing.residue import descendants

    before = len(descendants(platform.pid))
    bomb = function(BOMB, Timeout=20, MemorySize=1024)
    made = bomb.invoke().json
    assert isinstance(made, int), made
    assert made <= 1024
    bomb.delete()
    eventually(lambda: len(descendants(platform.pid)) <= before + 8, 20)


TREE = """
import os, signal, time
def handler(event, context):
    for _ in range(8):
        if os.fork() == 0:
            os.setsid()
            for number in range(1, 32):
                try: signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError): pass
            os.fork()
            time.sleep(600)
    time.sleep(600)
"""


def test_a_timeout_kills_the_whole_tree(function, platform, eventually):
    from alonzo.testing.residue import descendants

    tree = function(TREE, Timeout=1)
    assert tree.invoke().json["errorType"] == "Sandbox.Timedout"
    before = len(descendants(platform.pid))
    assert tree.invoke().json["errorType"] == "Sandbox.Timedout"
    eventually(lambda: len(descendants(platform.pid)) <= before, 10)


def test_endless_output_is_taken_without_harm(function, lambda_client):
    flood = function(
        "import os\ndef handler(event, context):\n"
        "    for _ in range(2000): os.write(1, b'x' * 65535 + b'\\n')\n    return 'done'",
        Timeout=60,
        MemorySize=256,
    )
    done = threading.Event()

    def stay_responsive():
        worst = 0
        while not done.is_set():
            lambda_client.get_account_settings()
            worst += 1
        return worst

    with ThreadPoolExecutor(1) as threads:
        others = threads.submit(stay_responsive)
        assert json.loads(flood.invoke(LogType="Tail").body) == "done"
        done.set()
        assert others.result() > 0

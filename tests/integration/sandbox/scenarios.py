"""What every namespace sandbox must do, as one coroutine each, for any user.

The tests run them in this process, and, as an ordinary user, through ``main`` in a process of that
user, whose interpreter may have nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from attack_scenarios import (
    no_attack_succeeds,
    no_attack_succeeds_before_the_fit_either,
    no_attack_succeeds_in_what_made_its_sandbox,
    one_process_cannot_look_into_the_start_of_another,
)
from bench import PYTHON, Bench, ignored_by, open_bench, refused, until
from death_scenarios import (
    a_dead_sandbox_refuses_nothing_but_a_start,
    a_sandbox_that_dies_during_an_order_ends_the_wait,
    every_sandbox_dies_with_the_maker_and_the_next_is_made,
    frozen_sandboxes_die_with_the_maker_too,
    sandboxes_being_made_when_the_maker_dies_are_made_anew,
    the_end_of_a_sandbox_is_told,
    what_a_dead_sandbox_no_longer_has_is_not_missed,
)
from end_scenarios import (
    a_hundred_sandboxes_leave_nothing_behind,
    a_killed_daemon_leaves_no_process_and_its_cgroups_are_swept,
    be_daemon,
    everything_ends_with_the_backend,
    the_backend_outlives_its_helper,
)
from fit_scenarios import (
    a_hostile_process_before_the_fit_cannot_bend_it,
    a_listener_that_never_answers_holds_nobody,
    a_sandbox_is_fitted_once,
    mounts_of_a_sandbox_that_is_nobodys_yet_are_shown,
    pid_1_can_mount_until_it_is_fitted_and_no_longer,
    processor_time_is_limited_where_the_host_can,
    what_cannot_be_fitted_is_said,
    what_listens_inside_is_reached,
    what_ran_before_sees_the_mounts_and_the_size_of_tmp,
)
from leading_scenarios import LEADING
from limit_scenarios import (
    a_fork_bomb_is_contained_and_killed,
    a_tree_that_ignores_signals_and_leaves_its_session_is_killed,
    files_in_tmp_are_limited_in_number,
    files_in_tmp_do_not_count_as_memory,
    many_that_are_busy_stand_behind_others_where_nothing_divides_processors,
    memory_beyond_the_limit_ends_the_sandbox_and_no_neighbour,
    memory_of_a_child_counts_too,
    memory_shared_by_forks_counts_once,
    orphans_are_reaped,
    the_peak_alone_is_that_of_the_memory,
    what_connections_hold_is_limited,
    what_is_counted_by_user_is_left_to_others,
    who_goes_on_while_it_is_frozen_is_ended,
)
from zygote_scenarios import (
    a_fork_can_be_begun_with_its_sandbox,
    a_fork_knows_nothing_of_others,
    a_fresh_interpreter_is_met,
    a_killed_zygote_takes_its_own_sandboxes_alone,
    a_sandbox_outlives_a_first_process_that_could_not_begin,
    a_zygote_that_does_not_work_is_said_and_not_tried_each_time,
    every_installed_python_can_be_a_zygote,
    forks_end_as_an_interpreter_does,
    two_zygotes_serve_beside_each_other,
    without_a_zygote_nothing_can_be_forked,
)

from alonzo.sandbox.base import ExitStatus, Mount, NotExecutableError, ProcessSpec, SandboxError

MIB = 1 << 20


async def exit_codes_and_signals_are_told(bench: Bench) -> None:
    box = await bench.sandbox()
    assert (await bench.python(box, "raise SystemExit(7)"))[0] == ExitStatus(code=7)
    status, _ = await bench.python(box, "import os; os.kill(os.getpid(), 15)")
    assert status == ExitStatus(signal=15)


async def a_process_gets_exactly_its_environment_folder_and_arguments(bench: Bench) -> None:
    box = await bench.sandbox(hostname="some-name", loopback_names=("a-127.0.0.1", "b"))
    code = (
        "import json, os, socket, sys;"
        "found = [socket.gethostbyname(name) for name in ('localhost', 'a-127.0.0.1', 'b')];"
        "told = [dict(os.environ), os.getcwd(), sys.argv[1:], socket.gethostname(), found];"
        "print(json.dumps(told))"
    )
    _, text = await bench.python(box, code, "a b", "ü", environment={"K": "v=ü"}, cwd="/var")
    environment, cwd, argv, hostname, found = json.loads(text)
    environment.pop("LC_CTYPE", None)  # Python's own doing
    assert environment == {"K": "v=ü"}
    assert (cwd, argv, hostname) == ("/var", ["a b", "ü"], "some-name")
    assert found == ["127.0.0.1"] * 3


async def descriptors_are_exactly_those_given(bench: Bench) -> None:
    box = await bench.sandbox()
    ours, theirs = socket.socketpair()
    code = (
        "import os, socket;"
        "numbers = sorted(int(n) for n in os.listdir('/proc/self/fd'));"
        "numbers.remove(3);"  # the listing itself
        "peer = socket.socket(fileno=7); peer.send(repr(numbers).encode());"
        "print(os.readlink('/proc/self/fd/0'), os.get_inheritable(7))"
    )
    with ours, theirs:
        _, text = await bench.python(box, code, fds={7: theirs.fileno()})
        assert ours.recv(100) == b"[0, 1, 2, 7]"
    assert text.split() == ["/dev/null", "True"]


async def descriptors_not_given_are_dev_null(bench: Bench) -> None:
    box = await bench.sandbox()
    code = "import os,sys; sys.exit(os.readlink('/proc/self/fd/1') != '/dev/null')"
    process = await box.start(ProcessSpec((PYTHON, "-c", code), {}))
    assert await process.wait() == ExitStatus(code=0)


async def the_number_of_descriptors_is_limited(bench: Bench) -> None:
    box = await bench.sandbox()
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    assert (await bench.python(box, code, descriptors_max=100))[1].strip() == "(100, 100)"


async def what_cannot_be_executed_is_said(bench: Bench) -> None:
    folder = bench.folder / "programs"
    folder.mkdir()
    for name, text in (
        ("no-interpreter", "#!/nothing/here\n"),
        ("no-program", "just text"),
        ("cut-off", "\x7fELF"),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    box = await bench.sandbox(mounts=(Mount(folder, "/var/task"),))
    for path, told in (
        ("/nothing/here", "execute /nothing/here: No such file or directory"),
        ("/etc/hosts/below", "Not a directory"),
        ("/etc/hosts", "Permission denied"),
        ("/var/task", "Permission denied"),
        ("/var/task/no-interpreter", "No such file or directory"),
        ("/var/task/no-program", "Exec format error"),
        ("/var/task/cut-off", "Exec format error"),
    ):
        with refused(told, NotExecutableError):
            await box.start(ProcessSpec((path,), {}))
    assert (await bench.run(box, "/bin/true"))[0] == ExitStatus(code=0)


async def what_is_not_the_fault_of_the_file_is_told_apart(bench: Bench) -> None:
    box = await bench.sandbox(processes_max=2)
    for spec, told in (
        (ProcessSpec(("relative",), {}), "absolute path"),
        (ProcessSpec(("/bin/true",), {}, cwd="/nowhere"), "enter /nowhere: No such file"),
        (ProcessSpec(("/bin/true",), {"A=B": "x"}), "environment"),
        (ProcessSpec(("/bin/true", "x" * 200_000), {}), "bytes"),
    ):
        with refused(told):
            await box.start(spec)
    code = "import time; print('ready', flush=True); time.sleep(60)"
    for _ in range(2):
        await bench.begin(box, code)
    # Without cgroups an ordinary user's limit is one for each process and its children.
    if os.geteuid() == 0:
        with refused("Resource temporarily unavailable"):
            await box.start(ProcessSpec(("/bin/true",), {}))
    await box.freeze()
    with refused("frozen"):
        await box.start(ProcessSpec(("/nothing/here",), {}))
    with refused("frozen"):
        await box.connect(1)
    await box.close()
    with refused("ended"):
        await box.start(ProcessSpec(("/nothing/here",), {}))


async def signals_reach_one_process(bench: Bench) -> None:
    box = await bench.sandbox()
    code = "import time; print('ready', flush=True); time.sleep(60)"
    one, other = await bench.begin(box, code), await bench.begin(box, code)
    one.signal(signal.SIGTERM)
    assert await one.wait() == ExitStatus(signal=15)
    assert one.exited == ExitStatus(signal=15)
    assert other.exited is None
    one.signal(signal.SIGTERM)  # it has ended: nothing happens
    other.signal(9999)  # there is no such signal: nothing happens
    assert (await bench.run(box, "/bin/true"))[0].code == 0


async def tmp_is_kept_over_kill_and_start(bench: Bench) -> None:
    box = await bench.sandbox(tmp_mib=4)
    await bench.python(box, "open('/tmp/kept', 'w').write('x')")
    process = await bench.begin(box, "print('ready', flush=True); import time; time.sleep(60)")
    await box.kill()
    assert process.exited == ExitStatus(signal=9)
    code = (
        "print(open('/tmp/kept').read())\n"
        "try:\n open('/tmp/big', 'wb').write(b'x' * (8 << 20))\n"
        "except OSError as err: print(err.strerror)"
    )
    _, text = await bench.python(box, code)
    assert text.splitlines() == ["x", "No space left on device"]


async def mounts_show_files_and_folders_read_only(bench: Bench) -> None:
    private = bench.folder / "private"
    private.mkdir()
    (private / "open").mkdir()
    (private / "open" / "code.py").write_text("hello")
    private.chmod(0o700)  # a folder that only our own user may enter
    script = private / "open" / "run"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    box = await bench.sandbox(
        mounts=(
            Mount(private / "open", "/var/task"),
            Mount(private / "open" / "code.py", "/some/where/deep.py"),
            Mount(private / "open", "/opt/data", executable=False),
        )
    )
    _, text = await bench.run(box, "/bin/cat", "/var/task/code.py", "/some/where/deep.py")
    assert text == "hellohello"
    assert (await bench.run(box, "/var/task/run"))[1] == "ran\n"
    with refused("Permission denied", NotExecutableError):
        await bench.run(box, "/opt/data/run")
    _, text = await bench.run(box, "/bin/sh", "-c", "echo x > /var/task/code.py")
    assert "Read-only" in text


async def mounts_that_cannot_be_are_refused(bench: Bench) -> None:
    for mount, told in (
        (Mount(bench.folder / "missing", "/var/task"), "missing"),
        (Mount(bench.folder, "/proc/sys"), "its own"),
        (Mount(bench.folder, "relative"), "absolute"),
        (Mount(bench.folder, "/a/../b"), "plain form"),
        (Mount(bench.folder, "/usr/new-folder"), "/usr/new-folder"),
    ):
        with refused(told):
            await bench.sandbox(mounts=(mount,))
    (await bench.sandbox()).memory()


async def a_link_in_a_mount_cannot_move_another_mount(bench: Bench) -> None:
    evil = bench.folder / "evil"
    evil.mkdir()
    (evil / "sub").symlink_to("/etc")
    try:
        box = await bench.sandbox(
            mounts=(Mount(evil, "/var/task"), Mount(evil, "/var/task/sub/alternatives"))
        )
    except SandboxError:
        return
    _, text = await bench.run(box, "/bin/ls", "/var/task")
    assert "sub" in text  # whatever was covered, it was covered in this sandbox's own root


async def two_sandboxes_of_one_id_are_refused(bench: Bench) -> None:
    await bench.sandbox(id="same")
    with refused("same"):
        await bench.sandbox(id="same")


async def the_identity_is_an_unprivileged_one(bench: Bench) -> None:
    one, other = await bench.sandbox(), await bench.sandbox()
    code = "import os, pwd; print(os.getresuid(), pwd.getpwuid(os.getuid()).pw_name)"
    texts = [(await bench.python(box, code))[1] for box in (one, other)]
    assert all("sbx_user1051" in text and "(0," not in text for text in texts)
    if os.geteuid() == 0:
        assert texts[0] != texts[1]


async def listeners_are_reached_from_inside(bench: Bench) -> None:
    boxes = [await bench.sandbox(listen_ports=(9001, 4566)) for _ in range(2)]
    code = (
        "import socket;"
        "print([socket.create_connection(('127.0.0.1', p)).recv(20) for p in (9001, 4566)])"
    )
    for name, box in enumerate(boxes):
        running = asyncio.ensure_future(bench.python(box, code))
        for port in (9001, 4566):
            listener = box.listeners[port]
            assert not listener.getblocking()
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            connection.send(f"{name}:{port}".encode())
            connection.close()
        assert (await running)[1].strip() == str([f"{name}:{p}".encode() for p in (9001, 4566)])


async def freezing_stops_everything_and_thawing_continues_it(bench: Bench) -> None:
    box = await bench.sandbox()
    code = (
        "import os, time\n"
        "for _ in range(3):\n"
        "  if os.fork() == 0: break\n"
        "while True: os.write(1, b'.'); time.sleep(0.002)\n"
    )
    process, file = await bench.piped(box, code)
    os.set_blocking(file.fileno(), False)

    def ticks() -> int:
        return len(file.read(65536) or b"")

    await until(lambda: ticks() > 10)
    await box.freeze()
    await box.freeze()
    ticks()
    assert ignored_by(ticks)
    assert process.exited is None
    with refused("frozen"):
        await box.start(ProcessSpec(("/bin/true",), {}))
    box.thaw_nowait()
    box.thaw_nowait()
    await until(lambda: ticks() > 10)
    await box.freeze()
    await box.kill()
    assert process.exited == ExitStatus(signal=9)
    file.close()


async def a_frozen_sandbox_can_be_closed(bench: Bench) -> None:
    box = await bench.sandbox()
    process = await bench.begin(box, "print('ready', flush=True); import time; time.sleep(60)")
    await box.freeze()
    await box.close()
    await box.close()
    assert process.exited == ExitStatus(signal=9)


async def sixty_four_sandboxes_are_made_at_once(bench: Bench) -> None:
    boxes = await asyncio.gather(*(bench.sandbox(listen_ports=(9001,)) for _ in range(64)))
    processes = await asyncio.gather(*(b.start(ProcessSpec(("/bin/true",), {})) for b in boxes))
    assert {(await p.wait()).code for p in processes} == {0}
    await asyncio.gather(*(box.close() for box in boxes))


async def a_create_that_is_given_up_leaves_nothing(bench: Bench) -> None:
    for delay_s in (0.0, 0.0, 0.001, 0.003):
        made = asyncio.ensure_future(bench.sandbox(id="given-up"))
        await asyncio.sleep(delay_s)
        made.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await made).close()
    box = await bench.sandbox(id="given-up")
    assert (await bench.run(box, "/bin/true"))[0].code == 0


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        exit_codes_and_signals_are_told,
        a_process_gets_exactly_its_environment_folder_and_arguments,
        descriptors_are_exactly_those_given,
        descriptors_not_given_are_dev_null,
        the_number_of_descriptors_is_limited,
        what_cannot_be_executed_is_said,
        what_is_not_the_fault_of_the_file_is_told_apart,
        signals_reach_one_process,
        tmp_is_kept_over_kill_and_start,
        mounts_show_files_and_folders_read_only,
        mounts_that_cannot_be_are_refused,
        a_link_in_a_mount_cannot_move_another_mount,
        two_sandboxes_of_one_id_are_refused,
        the_identity_is_an_unprivileged_one,
        listeners_are_reached_from_inside,
        freezing_stops_everything_and_thawing_continues_it,
        a_frozen_sandbox_can_be_closed,
        memory_beyond_the_limit_ends_the_sandbox_and_no_neighbour,
        files_in_tmp_are_limited_in_number,
        files_in_tmp_do_not_count_as_memory,
        memory_of_a_child_counts_too,
        memory_shared_by_forks_counts_once,
        the_peak_alone_is_that_of_the_memory,
        a_fork_bomb_is_contained_and_killed,
        a_tree_that_ignores_signals_and_leaves_its_session_is_killed,
        many_that_are_busy_stand_behind_others_where_nothing_divides_processors,
        orphans_are_reaped,
        what_connections_hold_is_limited,
        what_is_counted_by_user_is_left_to_others,
        who_goes_on_while_it_is_frozen_is_ended,
        sixty_four_sandboxes_are_made_at_once,
        a_create_that_is_given_up_leaves_nothing,
        no_attack_succeeds,
        one_process_cannot_look_into_the_start_of_another,
        a_hundred_sandboxes_leave_nothing_behind,
        the_backend_outlives_its_helper,
        a_killed_daemon_leaves_no_process_and_its_cgroups_are_swept,
        everything_ends_with_the_backend,
        every_sandbox_dies_with_the_maker_and_the_next_is_made,
        frozen_sandboxes_die_with_the_maker_too,
        sandboxes_being_made_when_the_maker_dies_are_made_anew,
        a_dead_sandbox_refuses_nothing_but_a_start,
        what_a_dead_sandbox_no_longer_has_is_not_missed,
        a_sandbox_that_dies_during_an_order_ends_the_wait,
        the_end_of_a_sandbox_is_told,
        what_ran_before_sees_the_mounts_and_the_size_of_tmp,
        mounts_of_a_sandbox_that_is_nobodys_yet_are_shown,
        a_sandbox_is_fitted_once,
        what_cannot_be_fitted_is_said,
        pid_1_can_mount_until_it_is_fitted_and_no_longer,
        a_hostile_process_before_the_fit_cannot_bend_it,
        no_attack_succeeds_before_the_fit_either,
        what_listens_inside_is_reached,
        a_listener_that_never_answers_holds_nobody,
        processor_time_is_limited_where_the_host_can,
        forks_end_as_an_interpreter_does,
        a_fresh_interpreter_is_met,
        a_fork_knows_nothing_of_others,
        *LEADING,
    )
}

#: Those of the zygote itself, whichever way processes are started.
ZYGOTES = {
    scenario.__name__: scenario
    for scenario in (
        a_zygote_that_does_not_work_is_said_and_not_tried_each_time,
        without_a_zygote_nothing_can_be_forked,
        a_killed_zygote_takes_its_own_sandboxes_alone,
        a_fork_can_be_begun_with_its_sandbox,
        no_attack_succeeds_in_what_made_its_sandbox,
        a_sandbox_outlives_a_first_process_that_could_not_begin,
        two_zygotes_serve_beside_each_other,
        every_installed_python_can_be_a_zygote,
    )
}


#: Those that depend on what cgroups a host has.
LIMITS = [
    scenario.__name__
    for scenario in (
        freezing_stops_everything_and_thawing_continues_it,
        a_frozen_sandbox_can_be_closed,
        memory_beyond_the_limit_ends_the_sandbox_and_no_neighbour,
        memory_of_a_child_counts_too,
        memory_shared_by_forks_counts_once,
        a_fork_bomb_is_contained_and_killed,
        a_tree_that_ignores_signals_and_leaves_its_session_is_killed,
        no_attack_succeeds,
    )
]


async def run(name: str, folder: Path, way: str) -> None:
    """Run one scenario on a backend of its own, Python code "forked" or "executed"."""
    bench = await open_bench(folder, forked=way == "forked")
    try:
        async with asyncio.timeout(50):
            await {**SCENARIOS, **ZYGOTES}[name](bench)
    finally:
        await bench.backend.close()


def serve() -> None:
    """Run each scenario that a line names (name, folder, way); answer what went wrong, if any."""
    for line in sys.stdin:
        name, folder, way = json.loads(line)
        told = ""
        try:
            asyncio.run(run(name, Path(folder), way))
        except BaseException:
            told = traceback.format_exc()
        print(json.dumps(told), flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--daemon"]:
        asyncio.run(be_daemon(Path(sys.argv[2]), *sys.argv[3:]))
        return
    serve()


if __name__ == "__main__":
    main()

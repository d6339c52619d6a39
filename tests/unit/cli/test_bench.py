"""The measuring itself: the baselines answer, the generator counts, failures are no results."""

import io
import json
import os
import socket
import sys
import threading
import time

import click
import pytest
from botocore.credentials import Credentials
from click.testing import CliRunner

from alonzo.cli.bench import host, libraries
from alonzo.cli.bench.baselines import response
from alonzo.cli.bench.command import SECTIONS, bench, chosen
from alonzo.cli.bench.figures import Section, add_ratios, quantile, ratio, times
from alonzo.cli.bench.functions import python
from alonzo.cli.bench.http import MessageReader
from alonzo.cli.bench.load import (
    Job,
    Result,
    Run,
    is_echo,
    read_job,
    read_result,
    write_job,
    write_result,
)
from alonzo.cli.bench.processes import cpu_s, pss_mib, running, time_program
from alonzo.cli.bench.queues import out_of_order
from alonzo.cli.bench.report import head, render
from alonzo.cli.bench.target import Target, event
from alonzo.cli.bench.warm import python_command
from alonzo.cli.bench.workbench import BASELINES, load_generator

NOBODY = Credentials("AKIDEXAMPLE", "secret")


@pytest.mark.parametrize("size", [100, 1000, 100_000])
def test_an_event_has_the_size_that_was_asked_for(size):
    assert len(event(size)) == len(event(size, 999_999)) == size
    assert event(size, 1) != event(size, 2)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_messages_are_whole_however_the_bytes_arrive(step):
    reader = MessageReader()
    stream = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
    pieces = [stream[i : i + step] for i in range(0, len(stream), step)]
    for _ in range(2):
        *early, last = [reader.feed(piece) for piece in pieces]
        assert not any(early)
        assert last == (b"http/1.1 200 ok\r\ncontent-length: 5\r\nx-a: b", b"hello")


# The generator


@pytest.mark.parametrize("kind", ["echo", "worker"])
def test_a_baseline_echoes_under_load_and_every_answer_is_counted(kind):
    with load_generator(host.Noise()) as generator, running(BASELINES, kind) as server:
        target = Target(kind, server, generator, NOBODY)
        for size, clients, count in ((100, 1, 20), (100, 8, 200), (2_000_000, 2, 4)):
            requests = target.batch(size, count=2)
            result = target.load(requests, clients=clients, count=count, echo=True)
            assert len(result.latencies_s) == count
            assert 0 < min(result.latencies_s) <= max(result.latencies_s) <= result.elapsed_s
            assert result.cpu_s > 0
        timed = target.load([target.request(event(100))], clients=2, duration_s=0.1)
        assert timed.latencies_s
        assert cpu_s(server.pid, below=True) >= cpu_s(server.pid, below=False)
        assert pss_mib(server.pid) is None or pss_mib(server.pid) > 1
        assert server.start_s > 0


@pytest.fixture
def answering():
    """Start a server that answers each request on each connection with the given pieces."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(listener: socket.socket, pieces: tuple[bytes, ...]) -> None:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(1 << 16):
                for piece in pieces:
                    connection.sendall(piece)
                if not pieces:
                    return

    def start(*pieces: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threads.append(threading.Thread(target=serve, args=(listener, pieces)))
        threads[-1].start()
        return listener.getsockname()[1]

    yield start
    for thread in threads:
        thread.join()
    for listener in listeners:
        listener.close()


REQUEST = b'POST / HTTP/1.1\r\n\r\n{"a": 1}'
GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'


@pytest.mark.parametrize(
    ("pieces", "failure"),
    [
        ((GOOD,), ""),
        ((GOOD[:20], GOOD[20:40], GOOD[40:]), ""),
        ((response(b'{"a":2}'),), "not the event"),
        ((response(b"not JSON"),), "not the event"),
        ((response(b""),), "not the event"),
        ((GOOD.replace(b"200 OK", b"429 Slow down"),), "429"),
        ((GOOD.replace(b"Content", b"X-Amz-Function-Error: Unhandled\r\nContent"),), "200"),
        ((GOOD.replace(b"Content-Length: 7", b"Transfer-Encoding: chunked"),), "no Content-Length"),
        ((), "closed"),
    ],
)
def test_only_a_good_answer_is_a_result(answering, pieces, failure):
    job = Job("127.0.0.1", answering(*pieces), [REQUEST], count=2, echo=True)
    result = Run(job).carry_out()
    if not failure:
        assert (len(result.latencies_s), result.failures) == (2, 0)
    else:
        assert failure in result.first_failure
        assert not result.latencies_s


def test_an_answer_that_is_not_what_was_expected_is_a_failure(answering):
    port = answering(response(b"two"))
    result = Run(Job("127.0.0.1", port, [REQUEST], count=1, expect=b"one")).carry_out()
    assert result.failures == 1
    assert "two" in result.first_failure


def test_a_failed_request_ends_the_measurement(answering):
    with (
        load_generator(host.Noise()) as generator,
        pytest.raises(click.ClickException, match="1 requests"),
    ):
        generator.run(Job("127.0.0.1", answering(response(b"1")), [REQUEST], count=1, echo=True))


def test_an_answer_that_is_not_the_event_is_no_echo():
    request = b"POST / HTTP/1.1\r\n\r\n" + json.dumps({"a": 1}).encode()
    assert is_echo(request, b'{"a":1}')
    assert is_echo(request, b'{"a": 1}')
    assert not is_echo(request, b'{"a":2}')
    assert not is_echo(request, b"")
    assert not is_echo(request, b"1}")


@pytest.mark.parametrize(
    "job",
    [
        Job("localhost", 1, [b"a\nb", b""], clients=3, count=4, echo=True),
        Job("localhost", 1, [b"x"], duration_s=0.5, expect=b"y"),
    ],
)
def test_jobs_and_results_cross_the_pipe_as_they_are(job):
    stream = io.BytesIO()
    write_job(job, stream)
    stream.seek(0)
    assert read_job(stream) == job
    assert read_job(stream) is None
    result = Result([0.1, 0.2], 0.3, 0.05, 1, "why")
    stream = io.BytesIO()
    write_result(result, stream)
    stream.seek(0)
    assert read_result(stream) == result
    assert read_result(stream) is None


# Statistics and tables


def test_quantiles_are_values_that_occurred():
    values = [float(number) for number in range(1, 101)]
    assert quantile(values, 0.5) == 51.0
    assert quantile(values, 0.99) == 100.0
    assert quantile([3.0], 0.99) == 3.0
    assert times([0.001, 0.002, 0.003]) == {"n": 3, "p50 ms": 2.0, "p99 ms": 3.0, "max ms": 3.0}
    assert times([]) == {"n": 0}


@pytest.mark.parametrize(
    ("ours", "theirs", "text"),
    [(0.45, 0.1, "4.5x"), (1, 3, "0.33x"), (None, 1.0, None), (1.0, 0.0, None), (1.0, "-", None)],
)
def test_a_ratio_is_said_only_of_numbers(ours, theirs, text):
    assert ratio(ours, theirs) == text


def test_a_report_names_each_column_once_and_gives_ratios_to_the_baselines():
    section = Section("Title", "What it means.")
    section.rows = [
        {"server": "echo", "p50 ms": 0.1},
        {"server": "alonzo", "p50 ms": 0.45, "n": 12_345},
        {"server": "other", "p50 ms": None, "note": "not here"},
    ]
    add_ratios(section.rows[:2], "p50 ms")
    assert render(section).splitlines() == [
        "Title",
        "  What it means.",
        "",
        "  server  p50 ms       n  / echo  note",
        "  echo       0.1",
        "  alonzo    0.45  12,345    4.5x",
        "  other        -                  not here",
    ]


@pytest.mark.parametrize(("cores", "noisy"), [(None, False), (0.05, False), (0.8, True)])
def test_a_section_measured_beside_others_says_so(cores, noisy):
    section = Section("Title", "Meaning.", [{"a": 1}], noise_cores=cores)
    assert ("NOISY: others used 0.8 processors" in render(section)) == noisy


def test_the_head_names_the_machine_and_what_to_beware_of():
    text = head({"kernel": "Linux 6", "python": "CPython"}, ["it was busy"])
    assert text.splitlines() == ["kernel  Linux 6", "python  CPython", "WARNING: it was busy"]


# The machine


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("'--enable-shared'", "no PGO, no LTO"),
        ("'--enable-optimizations' '--with-lto=full'", "PGO, LTO"),
        ("", "no PGO, no LTO"),
    ],
)
def test_how_python_was_built_is_read_from_its_configuration(arguments, text):
    assert host.build(arguments) == text


def test_the_facts_of_this_machine_are_all_there():
    facts = host.facts()
    assert {"processor", "memory", "kernel", "python", "load"} <= set(facts)
    assert all(facts.values())


def test_noise_is_said_of_times_that_were_watched_and_forgotten_when_taken():
    noise = host.Noise()
    assert noise.take() is None
    with noise.watch():
        sum(range(100_000))
    assert noise.take() >= 0
    assert noise.take() is None


def test_cpu_time_grows_with_work():
    before_s, began_s = cpu_s(os.getpid(), below=False), time.thread_time()
    while time.thread_time() < began_s + 0.03:  # some ticks
        sum(range(1_000))
    assert cpu_s(os.getpid(), below=False) > before_s


def test_a_program_is_timed_until_it_has_ended():
    assert all(taken > 0 for taken in time_program(python_command(), 2))
    with pytest.raises(click.ClickException, match="failed"):
        time_program([sys.executable, "-c", "raise SystemExit(1)"], 1)


# Functions and arguments


@pytest.mark.parametrize(
    ("arguments", "full", "names", "options"),
    [
        ((), False, [name for name in SECTIONS if name != "thousand"], []),
        ((), True, [*SECTIONS], []),
        (("warm", "cold"), False, ["cold", "warm"], []),
        (("thousand",), False, ["thousand"], []),
        (("warm", "--auth", "off"), False, ["warm"], ["--auth", "off"]),
    ],
)
def test_sections_are_chosen_by_name_and_run_in_the_order_of_the_page(
    arguments, full, names, options
):
    assert chosen(arguments, full) == (names, options)


def test_an_unknown_section_is_refused_with_those_that_there_are():
    done = CliRunner().invoke(bench, ["wram"])
    assert done.exit_code == 2
    assert "'wram'" in done.output
    assert "throughput" in done.output


def test_help_names_every_section():
    text = CliRunner().invoke(bench, ["--help"]).output
    assert all(name in text for name in SECTIONS)


def test_two_packages_of_a_function_differ_in_their_mark():
    assert python().package("a") != python().package("b")


def test_a_library_is_packaged_with_its_compiled_files_marked_as_valid(tmp_path):
    folder = tmp_path / "numpy"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "tests" / "big.py").write_text("")
    (folder / "__init__.py").write_text("")
    (folder / "__pycache__" / "__init__.pyc").write_bytes(b"MAGC" + b"\0" * 4 + b"T" * 8 + b"code")
    files = dict(libraries.collect(tmp_path, ("numpy", "numpy.libs")))
    assert files == {
        "numpy/__init__.py": b"",
        "numpy/__pycache__/__init__.pyc": b"MAGC\1\0\0\0" + b"T" * 8 + b"code",
    }


def test_a_python_without_the_library_is_passed_over():
    assert libraries.locate(sys.executable, ("json",)) is not None
    assert libraries.locate(sys.executable, ("no_such_library",)) is None
    assert libraries.locate("/no/such/python", ("json",)) is None


@pytest.mark.parametrize(
    ("came", "wrong"),
    [
        (["a/0", "b/0", "a/1", "b/1"], 0),
        (["a/0", "a/1", "a/1", "b/0"], 0),
        (["a/1", "b/0", "a/0", "a/2"], 1),
        (["a/10", "a/9", "a/2"], 2),
    ],
)
def test_messages_that_came_after_a_later_one_of_their_group_are_counted(came, wrong):
    assert out_of_order(came) == wrong

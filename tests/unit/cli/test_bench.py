"""The measuring itself: the baselines answer, the generator counts, failures are no results."""

import json

import pytest
from botocore.credentials import Credentials

from alonzo.cli.bench.command import BASELINES, load_generator
from alonzo.cli.bench.http import MessageReader
from alonzo.cli.bench.load import is_echo
from alonzo.cli.bench.measure import Section, add_ratios, quantile, times
from alonzo.cli.bench.processes import cpu_s, pss_mib, running
from alonzo.cli.bench.report import render
from alonzo.cli.bench.target import Target, event

NOBODY = Credentials("AKIDEXAMPLE", "secret")


@pytest.mark.parametrize("size", [100, 1000, 100_000])
def test_an_event_has_the_size_that_was_asked_for(size):
    assert len(event(size)) == size


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_messages_are_whole_however_the_bytes_arrive(step):
    reader = MessageReader()
    stream = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
    pieces = [stream[i : i + step] for i in range(0, len(stream), step)]
    for _ in range(2):
        *early, last = [reader.feed(piece) for piece in pieces]
        assert not any(early)
        assert last == (b"http/1.1 200 ok\r\ncontent-length: 5\r\nx-a: b", b"hello")


def test_a_chunked_message_ends_with_its_last_chunk():
    reader = MessageReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n") is None
    assert reader.feed(b"0\r\n\r\n") is not None


@pytest.mark.parametrize("kind", ["echo", "worker"])
def test_a_baseline_echoes_under_load_and_every_answer_is_counted(kind):
    with load_generator(None) as generator, running(BASELINES, kind, cores=None) as server:
        target = Target(kind, server, generator, NOBODY)
        for size, clients, count in ((100, 1, 20), (100, 8, 200), (2_000_000, 2, 4)):
            result = target.load(
                [target.request(event(size))], clients=clients, count=count, echo=True
            )
            assert len(result.latencies_s) == count
            assert 0 < min(result.latencies_s) <= max(result.latencies_s) <= result.elapsed_s
        timed = target.load([target.request(event(100))], clients=2, duration_s=0.1)
        assert timed.latencies_s
        assert cpu_s(server.pid, below=True) >= cpu_s(server.pid, below=False)
        assert pss_mib(server.pid) is None or pss_mib(server.pid) > 1


def test_an_answer_that_is_not_the_event_is_a_failure():
    request = b"POST / HTTP/1.1\r\n\r\n" + json.dumps({"a": 1}).encode()
    assert is_echo(request, b'{"a":1}')
    assert not is_echo(request, b'{"a":2}')


def test_quantiles_are_values_that_occurred():
    values = [float(number) for number in range(1, 101)]
    assert quantile(values, 0.5) == 51.0
    assert quantile(values, 0.99) == 100.0
    assert quantile([3.0], 0.99) == 3.0
    assert times([0.001, 0.002, 0.003]) == {"n": 3, "p50 ms": 2.0, "p99 ms": 3.0, "max ms": 3.0}


def test_a_report_names_each_column_once_and_gives_ratios_to_the_baselines():
    section = Section("Title", "What it means.")
    section.rows = [{"server": "echo", "p50 ms": 0.1}, {"server": "alonzo", "p50 ms": 0.45}]
    assert render(add_ratios(section, "p50 ms")).splitlines() == [
        "Title",
        "  What it means.",
        "",
        "  server  p50 ms  / echo",
        "  echo       0.1",
        "  alonzo    0.45    4.5x",
    ]

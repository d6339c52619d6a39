"""Measurements of functions whose environments are there: latency, throughput, payloads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from alonzo.cli.bench.figures import Row, Section, add_ratios, quantile, times
from alonzo.cli.bench.functions import python
from alonzo.cli.bench.processes import cpu_s, time_program
from alonzo.cli.bench.target import Target, event, sleep_event
from alonzo.cli.bench.workbench import Workbench

SMALL_BYTES = 100

INVOKE = (
    "Signed synchronous Invoke of a Python echo function of 1,769 MB (one processor) with a "
    f"{SMALL_BYTES} B event, on connections that are open: from handing the request to the kernel "
    "to the answer's last byte. Signature, permission, isolation, START/END/REPORT lines are "
    "inside. "
)
BESIDE = (
    "echo: a raw uvloop server that sends the body back. worker: the same, with a forked process "
    "for each request in flight behind a Unix socket. Neither verifies, isolates, limits or logs. "
)
CPU = "CPU: user and system time of all of a server's processes per request; 'daemon' of its first."


def python_command() -> list[str]:
    """``python3 -c pass`` in the interpreter itself: a virtual environment would start slower."""
    base = str(getattr(sys, "_base_executable", sys.executable))
    return [os.path.realpath(base), "-c", "pass"]


def baselines(bench: Workbench) -> Iterator[Section]:
    """What this machine gives to the least that could do the job."""
    effort = bench.effort
    section = Section(
        "Baselines",
        BESIDE + "One client. 'generator CPU' is what measuring itself takes, and part of each "
        "time below. python3 -c pass: from starting the interpreter to its end.",
    )
    for target in bench.targets[:-1]:
        requests = target.batch(SMALL_BYTES)
        target.load(requests, count=effort.warm_count // 5, echo=True)
        result = target.load(requests, count=effort.warm_count, echo=True)
        generator_us = 1e6 * result.cpu_s / effort.warm_count
        row: Row = {"what": target.name, **times(result.latencies_s)}
        section.rows.append({**row, "generator CPU us": generator_us})
    taken = time_program(python_command(), effort.cold_functions)
    section.rows.append({"what": "python3 -c pass", **times(taken)})
    yield section


def warm(bench: Workbench) -> Iterator[Section]:
    """One client, one request at a time."""
    yield _one_client(
        bench, Section("Warm invoke, one client", INVOKE + BESIDE + CPU), bench.targets
    )


def pinned(bench: Workbench) -> Iterator[Section]:
    """The same on one core: the length of the path, without waking other cores."""
    section = Section(
        "Warm invoke, one client, everything on one core",
        "As 'warm', but each server, its functions and the generator share a single core, so that "
        "no time goes into waking another one.",
    )
    with bench.pinned() as alone:
        yield _one_client(alone, section, alone.targets)


def _one_client(bench: Workbench, section: Section, targets: list[Target]) -> Section:
    count = bench.effort.warm_count
    for target in targets:
        requests = target.batch(SMALL_BYTES)
        target.load(requests, count=count // 3, echo=True)
        all_s, daemon_s = _cpu(target)
        result = target.load(requests, count=count, echo=True)
        all_s, daemon_s = (b - a for a, b in zip((all_s, daemon_s), _cpu(target), strict=True))
        section.rows.append(
            {
                "server": target.name,
                **times(result.latencies_s),
                "CPU us": 1e6 * all_s / count,
                "daemon CPU us": 1e6 * daemon_s / count,
                "generator CPU us": 1e6 * result.cpu_s / count,
            }
        )
    add_ratios(section.rows, "p50 ms")
    return section


def _cpu(target: Target) -> tuple[float, float]:
    pid = target.server.pid
    return cpu_s(pid, below=True), cpu_s(pid, below=False)


def throughput(bench: Workbench) -> Iterator[Section]:
    """Closed loop: each client sends its next request when it has the answer."""
    effort = bench.effort
    section = Section(
        "Warm throughput",
        f"The same Invoke, closed loop, for {effort.seconds:g} s; as many environments as clients "
        "are warm beforehand. 'generator' is how much of a core the generator itself used: near "
        "100 % it is what was measured. " + CPU,
    )
    for clients in effort.clients:
        rows = [_throughput(target, clients, effort.seconds) for target in bench.targets]
        add_ratios(rows, "per s")
        section.rows += rows
    yield section


def _throughput(target: Target, clients: int, duration_s: float) -> Row:
    requests = target.batch(SMALL_BYTES)
    target.warm_up(clients)
    target.load(requests, clients=clients, count=clients * 20, echo=True)
    all_s, daemon_s = _cpu(target)
    result = target.load(requests, clients=clients, duration_s=duration_s, echo=True)
    all_s, daemon_s = (b - a for a, b in zip((all_s, daemon_s), _cpu(target), strict=True))
    count = len(result.latencies_s)
    return {
        "clients": clients,
        "server": target.name,
        "per s": count / result.elapsed_s,
        **times(result.latencies_s),
        "CPU us": 1e6 * all_s / count,
        "daemon CPU us": 1e6 * daemon_s / count,
        "generator %": 100 * result.cpu_s / result.elapsed_s,
    }


def payloads(bench: Workbench) -> Iterator[Section]:
    """One client, events of three sizes."""
    section = Section(
        "Warm invoke by payload, one client",
        "The function gets the event and sends it back: parsed and written again as JSON by the "
        "worker and by Alonzo, copied by the echo server.",
    )
    large = bench.effort.large_count
    for label, size, count in (
        ("100 B", 100, large * 20),
        ("100 KB", 100_000, large * 5),
        ("5 MB", 5_000_000, large),
    ):
        rows: list[Row] = []
        for target in bench.targets:
            requests = [target.request(event(size))]
            target.load(requests, count=2, echo=True)
            result = target.load(requests, count=count, echo=True)
            rows.append({"event": label, "server": target.name, **times(result.latencies_s)})
        add_ratios(rows, "p50 ms")
        section.rows += rows
    yield section


def sleepers(bench: Workbench) -> Iterator[Section]:
    """64 calls at once of a function that takes 50 ms."""
    section = Section(
        "64 calls at once of a 50 ms function",
        "64 connections send one Invoke each at the same moment: 'first' when the function has "
        "never run (64 cold starts at once), then 'warm'; 'loop' is a closed loop of them, at best "
        "1,280 a second. 'all ms' is until the last answer.",
    )
    alonzo = bench.alonzo
    alonzo.create("sleep", python())
    requests = [alonzo.request(sleep_event(0.05), "sleep")]
    for label, rounds in (("first", 1), ("warm", bench.effort.rounds)):
        results = [alonzo.load(requests, clients=64, count=64, echo=True) for _ in range(rounds)]
        latencies_s = [value for result in results for value in result.latencies_s]
        all_ms = 1000 * quantile([result.elapsed_s for result in results], 0.5)
        section.rows.append({"round": label, **times(latencies_s), "all ms": all_ms})
    result = alonzo.load(requests, clients=64, duration_s=bench.effort.seconds, echo=True)
    per_s = len(result.latencies_s) / result.elapsed_s
    section.rows.append({"round": "loop", **times(result.latencies_s), "per s": per_s})
    alonzo.delete("sleep")
    yield section

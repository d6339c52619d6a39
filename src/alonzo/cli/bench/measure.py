"""The measurements: each answers one section of the report, with its definition."""

from __future__ import annotations

from dataclasses import dataclass, field

from alonzo.cli.bench.processes import cpu_s, pss_mib
from alonzo.cli.bench.target import Target, event, sleep_event

Value = float | int | str | None

SMALL_BYTES = 100


@dataclass(slots=True)
class Section:
    """One table: what it shows, and a row of named values for each line."""

    title: str
    definition: str
    rows: list[dict[str, Value]] = field(default_factory=list[dict[str, Value]])


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look. ``quick`` values show the shape, not the number."""

    warm_count: int
    throughput_s: float
    cold_functions: int
    rounds: int
    large_count: int


FULL = Effort(warm_count=3000, throughput_s=2.0, cold_functions=30, rounds=5, large_count=20)
QUICK = Effort(warm_count=500, throughput_s=0.4, cold_functions=20, rounds=2, large_count=5)


def quantile(values: list[float], q: float) -> float:
    """The smallest value that at least the share ``q`` of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def times(latencies_s: list[float]) -> dict[str, Value]:
    """How many, and their distribution in milliseconds."""
    ms = [1000 * value for value in latencies_s]
    return {
        "n": len(ms),
        "p50 ms": quantile(ms, 0.5),
        "p99 ms": quantile(ms, 0.99),
        "max ms": max(ms),
    }


def add_ratios(section: Section, column: str) -> Section:
    """Say how the last row's ``column`` relates to the baselines above it."""
    *baselines, ours = section.rows
    for baseline in baselines:
        mine, theirs = ours[column], baseline[column]
        assert isinstance(mine, float)
        assert isinstance(theirs, float)
        ours[f"/ {baseline['server']}"] = f"{mine / theirs:.2g}x"
    return section


def warm_latency(targets: list[Target], effort: Effort) -> Section:
    """One client, one request at a time."""
    section = Section(
        "Warm invoke, one client",
        f"Signed synchronous Invoke of an echo function, {SMALL_BYTES} B event: from handing the "
        "request to the kernel to the answer's last byte, signature check, START/END/REPORT lines, "
        "freeze and thaw included. CPU: user + system time of all processes of the server.",
    )
    for target in targets:
        requests = [target.request(event(SMALL_BYTES))]
        target.load(requests, count=effort.warm_count // 5, echo=True)
        before_s = cpu_s(target.server.pid, below=True)
        result = target.load(requests, count=effort.warm_count, echo=True)
        used_s = cpu_s(target.server.pid, below=True) - before_s
        count = len(result.latencies_s)
        section.rows.append(
            {"server": target.name, **times(result.latencies_s), "CPU us": 1e6 * used_s / count}
        )
    return add_ratios(section, "p50 ms")


def throughput(targets: list[Target], effort: Effort, clients: int) -> Section:
    """Closed loop: each client sends its next request when it has the answer."""
    section = Section(
        f"Warm throughput, {clients} client{'s' if clients > 1 else ''}",
        f"The same invoke, closed loop, for {effort.throughput_s} s; as many environments as "
        "clients are warm beforehand. 'daemon CPU' is the first process alone.",
    )
    for target in targets:
        requests = [target.request(event(SMALL_BYTES))]
        target.warm_up(clients)
        target.load(requests, clients=clients, count=clients * 8, echo=True)
        all_s, first_s = cpu_s(target.server.pid, below=True), cpu_s(target.server.pid, below=False)
        result = target.load(requests, clients=clients, duration_s=effort.throughput_s, echo=True)
        all_s = cpu_s(target.server.pid, below=True) - all_s
        first_s = cpu_s(target.server.pid, below=False) - first_s
        count = len(result.latencies_s)
        section.rows.append(
            {
                "server": target.name,
                "per s": count / result.elapsed_s,
                **times(result.latencies_s),
                "CPU us": 1e6 * all_s / count,
                "daemon CPU us": 1e6 * first_s / count,
            }
        )
    return add_ratios(section, "per s")


def payloads(targets: list[Target], effort: Effort) -> Section:
    """One client, events of three sizes."""
    section = Section(
        "Warm invoke by payload, one client",
        "The echo function gets the event and sends it back: parsed and written again as JSON by "
        "the worker and by Alonzo, copied by the echo server.",
    )
    for label, size, count in (
        ("100 B", 100, effort.large_count * 10),
        ("100 KB", 100_000, effort.large_count * 5),
        ("5 MB", 5_000_000, effort.large_count),
    ):
        for target in targets:
            requests = [target.request(event(size))]
            target.load(requests, count=2, echo=True)
            result = target.load(requests, count=count, echo=True)
            section.rows.append(
                {"event": label, "server": target.name, **times(result.latencies_s)}
            )
    return section


def cold(alonzo: Target, effort: Effort) -> Section:
    """The first invoke of functions that were just created."""
    section = Section(
        "Cold: first invoke of a new function",
        "Each function is created and Active, and has never run. The time is that of its first "
        "Invoke, on an open connection: sandbox, runtime start, code mount, import, handler.",
    )
    latencies_s: list[float] = []
    for number in range(effort.cold_functions):
        name = f"cold-{number}"
        alonzo.create(name)
        requests = [alonzo.request(event(SMALL_BYTES), name)]
        latencies_s += alonzo.load(requests, count=1, echo=True).latencies_s
    section.rows.append({"server": alonzo.name, **times(latencies_s)})
    return section


def burst(alonzo: Target, effort: Effort) -> Section:
    """64 calls at once of a function that takes 50 ms."""
    section = Section(
        "64 calls at once of a 50 ms function",
        "64 connections send one Invoke each at the same moment; 'first' when the function has "
        "never run (64 cold starts at once), 'warm' afterwards. 'all ms' is until the last answer.",
    )
    alonzo.create("sleep")
    requests = [alonzo.request(sleep_event(0.05), "sleep")]
    for label, rounds in (("first", 1), ("warm", effort.rounds)):
        results = [alonzo.load(requests, clients=64, count=64, echo=True) for _ in range(rounds)]
        latencies_s = [value for result in results for value in result.latencies_s]
        all_ms = 1000 * quantile([result.elapsed_s for result in results], 0.5)
        section.rows.append({"round": label, **times(latencies_s), "all ms": all_ms})
    return section


def memory(alonzo: Target) -> Section:
    """What the server and its environments weigh. To be called before anything else has run."""
    section = Section(
        "Memory",
        "Proportional set size (PSS) of all processes of the server: before any function exists, "
        "with one idle echo function, and per further environment of it.",
    )
    further = 16
    idle = pss_mib(alonzo.server.pid)
    alonzo.create("weigh")
    alonzo.warm_up(1, "weigh")
    one = pss_mib(alonzo.server.pid)
    alonzo.warm_up(1 + further, "weigh")
    many = pss_mib(alonzo.server.pid)
    per = None if one is None or many is None else (many - one) / further
    section.rows.append(
        {"idle MiB": idle, "one function MiB": one, f"each of {further} further MiB": per}
    )
    return section

"""Measurements of first calls: one after the other, many at once, with imports and snapshots."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace

from alonzo.cli.bench import functions, libraries
from alonzo.cli.bench.figures import Row, Section, quantile, ratio, times
from alonzo.cli.bench.functions import Function
from alonzo.cli.bench.processes import time_program
from alonzo.cli.bench.target import ACTIVE, Platform, RuntimeMissingError, event, sleep_event
from alonzo.cli.bench.warm import SMALL_BYTES, python_command
from alonzo.cli.bench.workbench import SERVE, Workbench

BESIDE = "/ python3 -c pass"

#: Long enough that calls sent at the same moment overlap, whatever starts meanwhile.
BUSY_S = 0.5

#: One call says little: so often is it made.
ROUNDS_OF_FEW = 3


def cold(bench: Workbench) -> Iterator[Section]:
    """First calls of functions that were just created, one after the other."""
    section = Section(
        "Cold: first invoke of a new function",
        "Each function is new, Active and has never run, and the platform is at rest; the time is "
        "that of its first signed Invoke at the client, on an open connection: sandbox, limits, "
        "runtime, code mount, import, handler, log lines. parked: a waiting sandbox is taken. "
        "nothing parked: one is made and, where this host can, a zygote forked in it. executed: a "
        "variable that counts only at a program's start has the runtime started anew.",
    )
    count = bench.effort.cold_functions
    taken = time_program(python_command(), count)
    section.rows.append({"way": "python3 -c pass", "runtime": "the host's", **times(taken)})
    others = max(3, count // 4)
    started = functions.PYTHON_START_VARIABLES
    for way, platform, function, number in (
        ("parked", bench.alonzo, functions.python(), count),
        ("nothing parked", bench.unparked, functions.python(), count),
        ("executed", bench.alonzo, functions.python(variables=started), others),
        ("parked", bench.alonzo, functions.nodejs(), others),
        (
            "executed",
            bench.alonzo,
            functions.nodejs(variables=functions.NODEJS_START_VARIABLES),
            others,
        ),
        ("parked", bench.alonzo, functions.ruby(), others),
        ("parked", bench.alonzo, functions.java(), others),
        ("nothing parked", bench.unparked, functions.java(), others),
        (
            "executed",
            bench.alonzo,
            functions.java(variables=functions.JAVA_START_VARIABLES),
            others,
        ),
    ):
        row = _row(way, platform, function, number)
        if "p50 ms" in row:
            row[BESIDE] = ratio(row["p50 ms"], section.rows[0]["p50 ms"])
        section.rows.append(row)
    yield section


def _row(way: str, platform: Platform, function: Function | None, count: int) -> Row:
    """First calls of ``count`` functions; one before them, which finds the runtime."""
    if function is None:
        return {"way": way, "runtime": "java", "note": "no javac here"}
    latencies_s: list[float] = []
    runtime = ""
    for number in range(count + 1):
        name = f"cold-{number}"
        try:
            runtime = platform.create(name, function).runtime
        except RuntimeMissingError:
            return {"way": way, "runtime": function.runtimes[0], "note": "not on this host"}
        requests = [platform.request(event(SMALL_BYTES), name)]
        platform.rest()
        result = platform.load(requests, count=1, echo=True)
        latencies_s += result.latencies_s if number else []
        platform.delete(name)
    return {"way": way, "runtime": runtime, **times(latencies_s)}


def at_once(bench: Workbench) -> Iterator[Section]:
    """First calls of many functions at the same moment."""
    section = Section(
        "Cold: N new functions invoked at once",
        "N functions are new and have never run; each gets its first Invoke at the same moment, "
        "on its own connection. 'stock as found': a platform of its own, which has seen no other "
        "runtime, has kept sandboxes ready as it sees fit since they were created. 'nothing "
        "parked': every sandbox is made on the path. 'all ms' is from the first request to the "
        "last answer.",
    )
    with bench.started(*SERVE) as platform:
        for count in bench.effort.at_once:
            section.rows.append(_burst("as found", platform, count))
            section.rows.append(_burst("nothing parked", bench.unparked, count))
    yield section


def _burst(stock: str, platform: Platform, count: int) -> Row:
    names = [f"burst-{number}" for number in range(count)]
    latencies_s: list[float] = []
    elapsed_s: list[float] = []
    failures = 0
    for _ in range(ROUNDS_OF_FEW if count < ROUNDS_OF_FEW else 1):
        for name in names:
            platform.create(name, functions.python())
        requests = [platform.request(event(SMALL_BYTES), name) for name in names]
        platform.rest()
        result = platform.load_anyhow(requests, clients=count, count=count, echo=True)
        latencies_s += result.latencies_s
        elapsed_s.append(result.elapsed_s)
        failures += result.failures
        platform.delete(*names)
    row: Row = {"N": count, "stock": stock, **times(latencies_s)}
    return {**row, "all ms": 1000 * quantile(elapsed_s, 0.5), "errors": failures}


def imports(bench: Workbench) -> Iterator[Section]:
    """First calls of functions that import something large."""
    section = Section(
        "Cold: first invoke with imports",
        "The first Invoke of a version just published, of a function that imports a library. boto3 "
        "is the platform's; numpy and pandas are packaged with the function if a Python on PATH "
        "has them. SnapStart: the version was published with it, so that a snapshot taken after "
        "the import is restored. 'further': what a call takes longer that needs one more "
        "environment of a version that has some.",
    )
    python = functions.python(imports="boto3")
    newest = replace(python, runtimes=libraries.SNAP_START_RUNTIMES)
    found: list[tuple[str, Function | None]] = [("boto3", python)]
    if python.runtimes[0] not in libraries.SNAP_START_RUNTIMES:
        found.append(("boto3", newest))
    found.append(("boto3, SnapStart", newest))
    for names in bench.effort.libraries:
        function = libraries.packaged(names)
        found += [(names[-1], function), (f"{names[-1]}, SnapStart", function)]
    passed = 1000 * quantile(time_program(python_command(), 5), 0.5)
    for number, (label, function) in enumerate(found):
        snap_start = label.endswith("SnapStart")
        if function is None:
            section.rows.append({"imports": label, "note": "no Python on PATH has it"})
            continue
        row = _versions(bench, f"imports-{number}", function, snap_start)
        if "p50 ms" in row:
            row[BESIDE] = ratio(row["p50 ms"], passed)
        section.rows.append({"imports": label, **row})
    yield section


def _versions(bench: Workbench, name: str, function: Function, snap_start: bool) -> Row:
    """First calls of versions; each differs in a variable."""
    platform, client = bench.alonzo, bench.alonzo.lambda_client
    try:
        runtime = platform.create(name, function).runtime
    except RuntimeMissingError as error:
        return {"note": _short(str(error))}
    refused = (client.exceptions.ClientError, client.exceptions.InvalidParameterValueException)
    latencies_s: list[float] = []
    version = ""
    try:
        for number in range(bench.effort.imports + 1):
            version = _publish(platform, name, number, snap_start)
            if snap_start and not number and not _restored(platform, name, version):
                return {"runtime": runtime, "note": "not supported"}
            requests = [platform.request(event(SMALL_BYTES), name, version)]
            platform.rest()
            result = platform.load(requests, count=1, echo=True)
            latencies_s += result.latencies_s if number else []
    except refused as error:
        return {"runtime": runtime, "note": "not supported: " + _short(str(error))}
    else:
        more_s = _further(platform, name, version, bench.effort.imports)
        further_ms = 1000 * quantile(more_s, 0.5)
    finally:
        platform.delete(name)
    return {"runtime": runtime, **times(latencies_s), "further p50 ms": further_ms}


def _further(platform: Platform, name: str, version: str, count: int) -> list[float]:
    """Seconds that further environments of a version add to a call that begins in a new one.

    With one call more at the same moment than there are environments, one must be made.
    """
    requests = [platform.request(sleep_event(BUSY_S), name, version)]
    taken: list[float] = []
    for environments in range(2, 2 + count):
        platform.rest()
        result = platform.load(requests, clients=environments, count=environments, echo=True)
        taken.append(max(result.latencies_s) - BUSY_S)
    return taken


def _publish(platform: Platform, name: str, number: int, snap_start: bool) -> str:
    client = platform.lambda_client
    apply_on = {"SnapStart": {"ApplyOn": "PublishedVersions"}} if snap_start else {}
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"ROUND": str(number)}}, **apply_on
    )
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=ACTIVE)
    version: str = client.publish_version(FunctionName=name)["Version"]
    waiter = client.get_waiter("published_version_active")
    waiter.wait(FunctionName=name, Qualifier=version, WaiterConfig=ACTIVE)
    return version


def _restored(platform: Platform, name: str, version: str) -> bool:
    """Whether the first call of a version says, in AWS's words, that it came from a snapshot."""
    answer = platform.lambda_client.invoke(
        FunctionName=name, Qualifier=version, LogType="Tail", Payload=b'{"data": ""}'
    )
    return "Restore Duration" in base64.b64decode(answer.get("LogResult", "")).decode()


def _short(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[:length] + " …"


def thousand(bench: Workbench, count: int = 1000) -> Iterator[Section]:
    """So many environments alive, each invoked again."""
    section = Section(
        f"{count:,} environments alive",
        f"{count:,} functions are invoked by 16 clients, first once each, then again: an answer "
        "counts only if it says that it is that environment's first, then second, call.",
    )
    names = [f"alive-{number}" for number in range(count)]
    with bench.started(*SERVE) as platform:
        for name in names:
            platform.create(name, functions.python())
        for label, calls in (("first call", 1), ("second call", 2)):
            section.rows.append({"round": label, **_calls(platform, names, calls)})
    yield section


def _calls(platform: Platform, names: Sequence[str], calls: int) -> Row:
    requests = [platform.request(b'{"calls": 0}', name) for name in names]
    expect = b'{"calls": %d}' % calls
    result = platform.load_anyhow(requests, clients=16, count=len(requests), expect=expect)
    row = {**times(result.latencies_s), "all s": result.elapsed_s, "errors": result.failures}
    return {**row, "because": _short(result.first_failure)} if result.failures else row

"""The command: start the servers and the generator, run the measurements, print as they come."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Generator as Generated
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from alonzo.cli.bench import measure
from alonzo.cli.bench.measure import FULL, QUICK, Section
from alonzo.cli.bench.processes import running
from alonzo.cli.bench.report import render
from alonzo.cli.bench.target import REGION, Generator, Target
from alonzo.cli.client import plain_failures

BASELINES = "alonzo.cli.bench.baselines"


@click.command()
@click.option("--quick", is_flag=True, help="A quarter of the time; shows the shape only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document in place of tables.")
@click.option("--pin/--no-pin", default=True, help="Give the load generator a core, from 3 on.")
@click.argument("serve_options", nargs=-1, type=click.UNPROCESSED)
def bench(quick: bool, as_json: bool, pin: bool, serve_options: tuple[str, ...]) -> None:
    """Measure this platform beside two baselines.

    Starts a platform of its own in a temporary directory. What follows '--' goes to 'alonzo serve'.
    """
    servers_cores, generator_cores = share_cores() if pin else (None, None)
    facts = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "python": platform.python_version(),
        "cores of the servers": cores_text(servers_cores),
        "cores of the load generator": cores_text(generator_cores),
        "effort": "quick: shows the shape, not the number" if quick else "full",
    }
    if not as_json:
        click.echo("".join(f"{name}: {value}\n" for name, value in facts.items()))
        click.echo(
            "echo: raw uvloop server. worker: the same with a forked process per request in "
            "flight.\nNeither verifies signatures, isolates, limits or logs.\n"
        )
    sections: list[Section] = []
    with plain_failures(), ExitStack() as stack:
        generator = stack.enter_context(load_generator(generator_cores))
        data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alonzo-bench-")))
        for section in run_all(stack, generator, data_dir, servers_cores, quick, serve_options):
            sections.append(section)
            if not as_json:
                click.echo(render(section))
    if as_json:
        document = {"facts": facts, "sections": [asdict(section) for section in sections]}
        click.echo(json.dumps(document, indent=2))


def run_all(
    stack: ExitStack,
    generator: Generator,
    data_dir: Path,
    cores: set[int] | None,
    quick: bool,
    serve_options: tuple[str, ...],
) -> Iterator[Section]:
    """Every section, in order; memory first, while nothing else has run."""
    from botocore.credentials import Credentials

    effort = QUICK if quick else FULL
    alonzo = start_alonzo(stack, generator, data_dir, cores, serve_options)
    yield measure.memory(alonzo)
    yield measure.cold(alonzo, effort)
    nobody = Credentials("AKIDEXAMPLE", "none of the baselines looks at it")
    targets = [
        Target(kind, stack.enter_context(running(BASELINES, kind, cores=cores)), generator, nobody)
        for kind in ("echo", "worker")
    ]
    alonzo.create("echo")
    targets.append(alonzo)
    yield measure.warm_latency(targets, effort)
    for clients in (1, 16, 64):
        yield measure.throughput(targets, effort, clients)
    yield measure.payloads(targets, effort)
    yield measure.burst(alonzo, effort)


def start_alonzo(
    stack: ExitStack,
    generator: Generator,
    data_dir: Path,
    cores: set[int] | None,
    serve_options: tuple[str, ...],
) -> Target:
    """The platform, and a client to create functions with."""
    import botocore.session
    from botocore.credentials import Credentials

    options = ["--port", "0", "--data-dir", str(data_dir), *serve_options]
    server = stack.enter_context(running("alonzo", "serve", *options, cores=cores))
    key = json.loads((data_dir / "keys" / "root.json").read_text())
    client = botocore.session.Session().create_client(
        "lambda",
        REGION,
        endpoint_url=server.url,
        aws_access_key_id=key["access_key_id"],
        aws_secret_access_key=key["secret_access_key"],
    )
    signer = Credentials(key["access_key_id"], key["secret_access_key"])
    return Target("alonzo", server, generator, signer, client)


@contextmanager
def load_generator(cores: set[int] | None) -> Generated[Generator]:
    """The generator's process, on the given cores."""
    process = subprocess.Popen(
        [sys.executable, "-m", "alonzo.cli.bench.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        if cores is not None:
            os.sched_setaffinity(process.pid, cores)
        try:
            yield Generator(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def share_cores() -> tuple[set[int] | None, set[int] | None]:
    """The last core for the generator, the others for the servers.

    With one or two cores nobody gets any of his own: a server on one core is another server.
    """
    cores = sorted(os.sched_getaffinity(0))
    return (set(cores[:-1]), {cores[-1]}) if len(cores) > 2 else (None, None)


def cores_text(cores: set[int] | None) -> str:
    """For the report's head."""
    return "any" if cores is None else ", ".join(map(str, sorted(cores)))

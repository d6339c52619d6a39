"""Runs our bootstraps for real, without a sandbox: descriptors 3 and 4, one process per test.

Each test runs once for every way in which a bootstrap comes to its function.
"""

import fcntl
import functools
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alonzo.runtimes.base import CHANNEL_FD, TELEMETRY_FD, Launch
from alonzo.runtimes.framing import Decoder, Frame, Kind, encode
from alonzo.runtimes.interpreters import SearchPlaces
from alonzo.runtimes.registry import Runtimes, families

FUNCTIONS = Path(__file__).parents[2] / "functions"
ZYGOTE = Path(__file__).with_name("zygote.py")
#: Executed with its variables, waiting for them, or forked and then waiting for them.
WAYS = ("executed", "parked", "forked")
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
ARN = "arn:aws:lambda:eu-west-1:000000000000:function:shop"


@functools.cache
def host_runtimes() -> Runtimes:
    return Runtimes(
        families(
            SearchPlaces(
                path=tuple(map(Path, os.environ["PATH"].split(":"))),
                home=Path.home(),
                base_prefix=Path(sys.base_prefix),
            )
        )
    )


@dataclass(frozen=True)
class LogEvent:
    kind: int
    time_us: int
    text: str


class RuntimeProcess:
    """A bootstrap at work. Every wait ends after ten seconds."""

    def __init__(
        self,
        launch: Launch,
        functions: Path,
        handler: str,
        folder: Path,
        variables: dict[str, str],
        framed: bool,
        way: str,
        told: bool,
    ):
        self.output, self.errors = folder / "stdout", folder / "stderr"
        self._telemetry = folder / "telemetry"
        self._decoder = Decoder()
        self._frames: list[Frame] = []
        ours, theirs = socket.socketpair()
        ours.settimeout(10)
        self.socket = ours
        outside = {path.target: str(path.source) for path in launch.paths}

        def on_host(text: str) -> str:
            for target, source in outside.items():
                text = text.replace(target, source)
            return text

        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            # In a sandbox the code is read-only; here it is the checkout.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(functions),
            "_HANDLER": handler,
            "AWS_LAMBDA_FUNCTION_NAME": "shop",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/shop",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/20/[$LATEST]0123",
            **{name: on_host(value) for name, value in launch.environment.items()},
            **variables,
        }
        if framed:
            environment["_LAMBDA_TELEMETRY_LOG_FD"] = str(TELEMETRY_FD)
        argv = [on_host(argument) for argument in launch.argv]
        first, offset, stdin = environment, 0, Path(os.devnull)
        if way != "executed":
            assert launch.parks
            first = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "_ALONZO_PARK": "1"}
            first |= {name: environment[name] for name in launch.parks_with}
        if way == "forked":
            assert launch.preloads
            offset, stdin = 10, folder / "variables"
            stdin.write_text(json.dumps(first))
            first = {"PYTHONDONTWRITEBYTECODE": "1"}
            argv = [*argv[:-1], str(ZYGOTE), str(Path(argv[-1]).parent), launch.preloads]
        channel = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 20)
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
        self.pid = os.posix_spawn(
            argv[0],
            argv,
            first,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, str(self.errors), flags, 0o600),
                (os.POSIX_SPAWN_OPEN, 1 + offset, str(self.output), flags, 0o600),
                (os.POSIX_SPAWN_OPEN, 2 + offset, str(self.errors), flags, 0o600),
                (os.POSIX_SPAWN_DUP2, channel, CHANNEL_FD + offset),
                (os.POSIX_SPAWN_OPEN, TELEMETRY_FD + offset, str(self._telemetry), flags, 0o600),
            ],
        )
        os.close(channel)
        theirs.close()
        if way != "executed" and told:
            ours.sendall(encode(Kind.CONFIG, {}, json.dumps(environment).encode()))
        self._status: int | None = None

    def frame(self) -> Frame | None:
        """The next frame, or None: the process has closed its end."""
        while not self._frames:
            data = self.socket.recv(1 << 18)
            if not data:
                return None
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    def ready(self) -> "RuntimeProcess":
        frame = self.frame()
        assert frame is not None, self.errors.read_text()
        assert frame.kind is Kind.READY, frame.body
        return self

    def call(self, event: object = None, **header: object) -> Frame | None:
        """One call; returns how the bootstrap answers, and keeps the pieces before it."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        deadline_ms = int(time.time() * 1000) + 3000
        head = {"id": REQUEST_ID, "deadline_ms": deadline_ms, "arn": ARN, **header}
        self.socket.sendall(encode(Kind.INVOKE, head, body))
        self.chunks: list[Frame] = []
        while (frame := self.frame()) is not None and frame.kind is Kind.CHUNK:
            self.chunks.append(frame)
        return frame

    def streamed(self, event: object = None) -> tuple[str, bytes]:
        """The media type, and all pieces, of a call whose answer comes in pieces."""
        frame = self.call(event)
        assert frame is not None, self.errors.read_text()
        assert frame == Frame(Kind.RESPONSE, {"id": REQUEST_ID}, b"")
        first, *others = self.chunks
        assert first.header["id"] == REQUEST_ID
        assert not any(chunk.header for chunk in others)
        return first.header["type"], b"".join(chunk.body for chunk in self.chunks)

    def result(self, event: object = None, **header: object) -> object:
        """The document that a successful call returns."""
        frame = self.call(event, **header)
        assert frame is not None, self.errors.read_text()
        assert frame.kind is Kind.RESPONSE, frame.body
        assert frame.header == {"id": header.get("id", REQUEST_ID)}
        return json.loads(frame.body)

    def error(
        self, event: object = None, *, last: bool = False, **header: object
    ) -> dict[str, object]:
        """The error document of a call that fails; ``last``: the process says that it ends."""
        frame = self.call(event, **header)
        assert frame is not None, self.errors.read_text()
        assert frame.kind is Kind.ERROR, frame.body
        document = json.loads(frame.body)
        ends = {"last": True} if last else {}
        assert frame.header == {"id": REQUEST_ID, "type": document["errorType"], **ends}
        return document

    def failed_init(self) -> dict[str, object]:
        """The error document of an init that fails."""
        frame = self.frame()
        assert frame is not None, self.errors.read_text()
        assert frame.kind is Kind.INIT_ERROR
        document = json.loads(frame.body)
        assert frame.header == {"type": document["errorType"]}
        return document

    def wait(self) -> int:
        """How the process ended: an exit status, or a signal as a negative number."""
        if self._status is None:
            pidfd = os.pidfd_open(self.pid)
            ended, _, _ = select.select([pidfd], [], [], 10)
            os.close(pidfd)
            assert ended, "the bootstrap still runs"
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def logs(self) -> list[LogEvent]:
        """What was written to the telemetry descriptor so far."""
        data, events = self._telemetry.read_bytes(), []
        while data:
            kind, length, time_us = struct.unpack_from(">IIQ", data)
            events.append(LogEvent(kind, time_us, data[16 : 16 + length].decode()))
            data = data[16 + length :]
        return events

    def close(self) -> None:
        """End the process, the way a daemon that goes away ends it."""
        self.socket.close()
        self.wait()


Start = Callable[..., RuntimeProcess]


@pytest.fixture
def way() -> str:
    """How bootstraps come to their functions."""
    return "executed"


@pytest.fixture
def start(tmp_path: Path, way: str) -> Iterator[Start]:
    """Starts bootstraps; all of them have ended when the test has."""
    started: list[RuntimeProcess] = []
    runtimes = host_runtimes()

    def start(
        identifier: str | Launch,
        handler: str,
        *,
        functions: Path | None = None,
        framed: bool = True,
        way: str = way,
        told: bool = True,
        **variables: str,
    ) -> RuntimeProcess:
        if isinstance(identifier, Launch):
            launch, family = identifier, identifier.version_name.partition(":")[0]
        else:
            launch = runtimes.launch(identifier, FUNCTIONS)
            family = runtimes.identifier(identifier).family
        folder = tmp_path / f"process{len(started)}"
        folder.mkdir()
        process = RuntimeProcess(
            launch, functions or FUNCTIONS / family, handler, folder, variables, framed, way, told
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``python`` and ``nodejs`` stand for every identifier that this host can run.

    With ``start`` each is started in every way. For those between the oldest and the newest the
    way that the platform prefers is enough outside ``make test-all``.
    """
    for family in ("python", "nodejs"):
        if family in metafunc.fixturenames:
            found = runnable(family)
            assert found, f"no {family} on this host"
            if "start" not in metafunc.fixturenames:
                metafunc.parametrize(family, found)
                continue
            launch = host_runtimes().launch(found[0], FUNCTIONS)
            ways = WAYS[: 3 if launch.preloads else 2 if launch.parks else 1]
            metafunc.parametrize((family, "way"), in_ways(found, ways))


def in_ways(versions: Sequence[str], ways: Sequence[str]) -> list[Any]:
    """Every version with every way, the last of which the platform prefers; some are nightly."""
    ends = (versions[0], versions[-1])
    return [
        pytest.param(
            *(version, way), marks=() if version in ends or way == ways[-1] else pytest.mark.nightly
        )
        for version in versions
        for way in ways
    ]


def runnable(family: str) -> list[str]:
    """The identifiers of a family that this host can run."""
    runtimes = host_runtimes()
    names = [name for name in runtimes.names if runtimes.identifier(name).family == family]
    return [name for name in names if runtimes.unavailable(name) is None]

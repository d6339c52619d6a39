"""Functions to deploy in a test: packages out of source text, and a handle to invoke them by."""

from __future__ import annotations

import base64
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alonzo.testing import waiting

#: Roles that every ``DaemonProcess`` has (see ``roles``): for functions that write logs and call
#: nobody, and for those that call whom they like, or have events that go on to somewhere.
ROLE = "arn:aws:iam::000000000000:role/test"
ADMIN_ROLE = "arn:aws:iam::000000000000:role/admin"
#: The interpreter that runs the tests is one that the platform finds too.
PYTHON_RUNTIME = f"python3.{sys.version_info.minor}"
ACTIVE_S_MAX = 30.0
#: A function's time limit in seconds, if its maker names none; and the longest.
TIMEOUT_S, TIMEOUT_S_MAX = 3, 900
#: Who names a shorter one means it to be missed, so it stays even where all else takes longer.
ROOM_S = 10
POLL_INTERVAL_S = 0.02

Source = str | Path | Mapping[str, str | bytes]


def package(source: Source, *, main_file: str = "handler.py") -> bytes:
    """A deployment package.

    ``source`` is the text of ``main_file``, a folder, or a mapping of file names to contents.
    Every file may be executed, so that a ``bootstrap`` is one.
    """
    files: Mapping[str, str | bytes]
    if isinstance(source, Path):
        paths = (path for path in sorted(source.rglob("*")) if path.is_file())
        files = {str(path.relative_to(source)): path.read_bytes() for path in paths}
    elif isinstance(source, str):
        files = {main_file: source}
    else:
        files = source
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one invoke answered. ``log`` is the tail, if it was asked for."""

    status: int
    body: bytes
    function_error: str | None
    version: str | None
    log: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        """The body as a JSON document."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class StreamedOutcome:
    """What one invoke answered whose response was streamed. ``complete`` is its last event."""

    chunks: list[bytes]
    complete: Mapping[str, Any]
    version: str | None
    headers: Mapping[str, str]

    @property
    def body(self) -> bytes:
        """All pieces together."""
        return b"".join(self.chunks)


@dataclass(frozen=True, slots=True)
class DeployedFunction:
    """A function that exists on the platform under test."""

    client: Any
    name: str
    arn: str

    def invoke(self, event: Any = None, *, payload: bytes | None = None, **options: Any) -> Outcome:
        """Invoke it with ``event`` as JSON, or with ``payload`` as it is.

        ``options`` are further members of the request (``InvocationType``, ``Qualifier``, …).
        """
        response = self.client.invoke(
            FunctionName=self.name,
            Payload=json.dumps(event).encode() if payload is None else payload,
            **options,
        )
        return Outcome(
            status=response["StatusCode"],
            body=response["Payload"].read(),
            function_error=response.get("FunctionError"),
            version=response.get("ExecutedVersion"),
            log=base64.b64decode(response.get("LogResult", "")).decode(),
            headers=response["ResponseMetadata"]["HTTPHeaders"],
        )

    def stream(
        self, event: Any = None, *, payload: bytes | None = None, **options: Any
    ) -> StreamedOutcome:
        """Invoke it with its response streamed, and take all of that."""
        response = self.client.invoke_with_response_stream(
            FunctionName=self.name,
            Payload=json.dumps(event).encode() if payload is None else payload,
            **options,
        )
        events: list[Any] = list(response["EventStream"])
        *pieces, last = events
        return StreamedOutcome(
            chunks=[piece["PayloadChunk"]["Payload"] for piece in pieces],
            complete=last["InvokeComplete"],
            version=response.get("ExecutedVersion"),
            headers=response["ResponseMetadata"]["HTTPHeaders"],
        )

    def delete(self) -> None:
        """Delete it, if the test has not done so itself."""
        try:
            self.client.delete_function(FunctionName=self.name)
        except self.client.exceptions.ResourceNotFoundException:
            return


def deploy(client: Any, name: str, source: Source, **configuration: Any) -> DeployedFunction:
    """Create a function and wait until it is Active.

    ``configuration`` holds members of ``CreateFunction``; Python and ``handler.handler`` are the
    defaults, and the package is made of ``source``.
    """
    request: dict[str, Any] = {
        "Runtime": PYTHON_RUNTIME,
        "Handler": "handler.handler",
        "Role": ROLE,
        "Code": {"ZipFile": package(source)},
        **configuration,
    }
    named_s = configuration.get("Timeout")
    if waiting.TIMES > 1 and (named_s is None or named_s >= ROOM_S):
        request["Timeout"] = min((named_s or TIMEOUT_S) * waiting.TIMES, TIMEOUT_S_MAX)
    created = client.create_function(FunctionName=name, **request)
    client.get_waiter("function_active_v2").wait(
        FunctionName=name,
        WaiterConfig={
            "Delay": POLL_INTERVAL_S,
            "MaxAttempts": int(ACTIVE_S_MAX / POLL_INTERVAL_S),
        },
    )
    return DeployedFunction(client, name, created["FunctionArn"])

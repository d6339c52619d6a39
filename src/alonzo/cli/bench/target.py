"""What is measured: a server and the requests for it. Making requests is no part of any time."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from alonzo.cli.bench.load import Job, Result
from alonzo.cli.bench.processes import Server

if TYPE_CHECKING:
    from botocore.credentials import Credentials

REGION = "us-east-1"
ROLE = "arn:aws:iam::000000000000:role/bench"
ACTIVE_POLL_S = 0.02

#: The function under measurement: the event comes back, after a sleep if it asks for one.
ECHO = """\
import time

def handler(event, context):
    if "sleep_s" in event:
        time.sleep(event["sleep_s"])
    return event
"""


def event(payload_bytes: int) -> bytes:
    """A JSON document of that size, spelled as Python's ``json.dumps`` spells it."""
    return json.dumps({"data": "x" * (payload_bytes - 12)}).encode()


def sleep_event(sleep_s: float) -> bytes:
    """An event that keeps its environment busy for so long."""
    return json.dumps({"sleep_s": sleep_s}).encode()


class Generator:
    """The load generator's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, job: Job) -> Result:
        """Carry out a job.

        Raises:
            click.ClickException: an answer was not a good one, so its time means nothing.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise click.ClickException("the load generator ended early; see above.")
        result = Result(**json.loads(answer))
        if result.failures:
            raise click.ClickException(
                f"{result.failures} requests failed, the first one with: {result.first_failure}"
            )
        return result


@dataclass(frozen=True, slots=True)
class Target:
    """A server under measurement."""

    name: str
    server: Server
    generator: Generator
    signer: Credentials
    lambda_client: Any = None

    def request(self, body: bytes, function: str = "echo") -> str:
        """One signed Invoke, whole, as hex. It stays valid for minutes, so it is sent repeatedly.

        The baselines get the very same bytes and ignore the signature.
        """
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        path = f"/2015-03-31/functions/{function}/invocations"
        request = AWSRequest(
            "POST",
            self.server.url + path,
            data=body,
            headers={
                "Content-Type": "application/json",
                "X-Amz-Invocation-Type": "RequestResponse",
                "User-Agent": "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.11",
            },
        )
        SigV4Auth(self.signer, "lambda", REGION).add_auth(request)
        head = [f"POST {path} HTTP/1.1", f"Host: {self.server.host}:{self.server.port}"]
        head += [f"{name}: {value}" for name, value in request.headers.items()]
        head += [f"Content-Length: {len(body)}"]
        return ("\r\n".join(head) + "\r\n\r\n").encode().hex() + body.hex()

    def load(self, requests: list[str], **options: Any) -> Result:
        """Send requests as the options of ``Job`` say."""
        return self.generator.run(Job(self.server.host, self.server.port, requests, **options))

    def warm_up(self, environments: int, function: str = "echo") -> None:
        """Have so many environments idle: none of so many calls ends before the last one began."""
        requests = [self.request(sleep_event(0.2 + 0.02 * environments), function)]
        self.load(requests, clients=environments, count=environments, echo=True)

    def create(self, name: str) -> None:
        """Create the function anew under that name, and wait until it is Active."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("handler.py", f"# {name}\n{ECHO}")
        self.lambda_client.create_function(
            FunctionName=name,
            Runtime=python_runtime(),
            Handler="handler.handler",
            Role=ROLE,
            Code={"ZipFile": package.getvalue()},
            MemorySize=128,
            Timeout=30,
        )
        self.lambda_client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": ACTIVE_POLL_S, "MaxAttempts": 1000}
        )


def python_runtime() -> str:
    """The interpreter that runs this, which the platform finds too."""
    import sys

    return f"python3.{sys.version_info.minor}"

"""What is measured: a server and the requests for it. Making requests is no part of any time."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from alonzo.cli.bench.functions import Function
from alonzo.cli.bench.host import Noise
from alonzo.cli.bench.load import Job, Result, read_result, write_job
from alonzo.cli.bench.processes import Server, rest

if TYPE_CHECKING:
    from botocore.credentials import Credentials

REGION = "us-east-1"
USER_AGENT = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.11"
#: What functions get, as most have it: Lambda may assume it, and it may write logs.
ROLE = "bench"
ROLE_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
ACTIVE = {"Delay": 0.02, "MaxAttempts": 3000}

#: Different requests to send in turn, so that no server can remember the one.
BATCH = 64


def event(payload_bytes: int, number: int = 0) -> bytes:
    """A JSON document of that size, spelled as Python's ``json.dumps`` spells it."""
    mark = f"{number:06}"
    return json.dumps({"data": mark + "x" * (payload_bytes - 12 - len(mark))}).encode()


def sleep_event(sleep_s: float) -> bytes:
    """An event that keeps its environment busy for so long."""
    return json.dumps({"sleep_s": sleep_s}).encode()


class Generator:
    """The load generator's process."""

    def __init__(self, process: subprocess.Popen[bytes], noise: Noise) -> None:
        self._process = process
        self._noise = noise

    def run(self, job: Job) -> Result:
        """Carry out a job.

        Raises:
            click.ClickException: an answer was not a good one, so its time means nothing.
        """
        result = self.run_anyhow(job)
        if result.failures:
            raise click.ClickException(
                f"{result.failures} requests failed, the first one with: {result.first_failure}"
            )
        return result

    def run_anyhow(self, job: Job) -> Result:
        """Carry out a job; failures are in the result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._noise.watch():
            write_job(job, self._process.stdin)
            result = read_result(self._process.stdout)
        if result is None:
            raise click.ClickException("the load generator ended early; see above.")
        return result


class Target:
    """A server under measurement."""

    def __init__(
        self, name: str, server: Server, generator: Generator, signer: Credentials
    ) -> None:
        self.name = name
        self.server = server
        self._generator = generator
        self._signer = signer

    def request(self, body: bytes, function: str = "echo", qualifier: str = "") -> bytes:
        """One signed Invoke, whole. It stays valid for minutes, so it may be sent repeatedly.

        The baselines get the very same bytes and ignore the signature.
        """
        path = f"/2015-03-31/functions/{function}/invocations"
        if qualifier:
            path += f"?Qualifier={qualifier}"
        headers = {"Content-Type": "application/json", "X-Amz-Invocation-Type": "RequestResponse"}
        return self._signed("lambda", path, headers, body)

    def operation(self, service: str, target: str, params: Mapping[str, Any]) -> bytes:
        """One signed call of a service that speaks JSON 1.0; ``target`` is its X-Amz-Target."""
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
        return self._signed(service, "/", headers, json.dumps(params).encode())

    def _signed(self, service: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(
            "POST", self.server.url + path, data=body, headers={**headers, "User-Agent": USER_AGENT}
        )
        SigV4Auth(self._signer, service, REGION).add_auth(request)
        head = [f"POST {path} HTTP/1.1", f"Host: {self.server.host}:{self.server.port}"]
        head += [f"{name}: {value}" for name, value in request.headers.items()]
        head += [f"Content-Length: {len(body)}"]
        return ("\r\n".join(head) + "\r\n\r\n").encode() + body

    def batch(self, payload_bytes: int, function: str = "echo", count: int = BATCH) -> list[bytes]:
        """So many different signed requests of one size."""
        return [self.request(event(payload_bytes, number), function) for number in range(count)]

    def load(self, requests: list[bytes], **options: Any) -> Result:
        """Send requests as the options of ``Job`` say; each answer must be good."""
        return self._generator.run(self._job(requests, options))

    def load_anyhow(self, requests: list[bytes], **options: Any) -> Result:
        """Send requests as the options of ``Job`` say; failures are counted."""
        return self._generator.run_anyhow(self._job(requests, options))

    def _job(self, requests: list[bytes], options: Mapping[str, Any]) -> Job:
        return Job(self.server.host, self.server.port, requests, **options)

    def warm_up(self, environments: int, function: str = "echo") -> None:
        """Have so many environments idle: none of so many calls ends before the last one began."""
        requests = [self.request(sleep_event(0.2 + 0.02 * environments), function)]
        self.load(requests, clients=environments, count=environments, echo=True)


@dataclass(frozen=True, slots=True)
class Created:
    """A function that is Active."""

    name: str
    runtime: str


class Platform(Target):
    """A whole Alonzo, where functions can be created."""

    def __init__(
        self,
        server: Server,
        generator: Generator,
        signer: Credentials,
        lambda_client: Any,
        client: Callable[[str], Any],
    ) -> None:
        """``client`` makes further ones, by service; whoever asks for one closes it."""
        super().__init__("alonzo", server, generator, signer)
        self.lambda_client = lambda_client
        self.client = client
        self._role_arn = ""

    @property
    def role_arn(self) -> str:
        """The role of functions. Made when first asked for."""
        if not self._role_arn:
            with closing(self.client("iam")) as iam:
                made = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
                iam.attach_role_policy(RoleName=ROLE, PolicyArn=ROLE_POLICY)
            self._role_arn = made["Role"]["Arn"]
        return self._role_arn

    def create(self, name: str, function: Function) -> Created:
        """Create a function and wait until it is Active.

        Raises:
            RuntimeMissingError: this host has none of its runtimes.
        """
        refusal = ""
        for runtime in function.runtimes:
            try:
                self.lambda_client.create_function(
                    FunctionName=name,
                    Runtime=runtime,
                    Handler=function.handler,
                    Role=self.role_arn,
                    Code={"ZipFile": function.package(name)},
                    MemorySize=function.memory_mib,
                    Timeout=60,
                    Environment={"Variables": dict(function.variables)},
                )
            except self.lambda_client.exceptions.InvalidParameterValueException as error:
                refusal = str(error)
                continue
            waiter = self.lambda_client.get_waiter("function_active_v2")
            waiter.wait(FunctionName=name, WaiterConfig=ACTIVE)
            return Created(name, runtime)
        raise RuntimeMissingError(refusal)

    def delete(self, *names: str) -> None:
        """Delete functions, and with them their environments."""
        for name in names:
            self.lambda_client.delete_function(FunctionName=name)

    def rest(self) -> None:
        """Wait until the platform does nothing: what it keeps ready has been made."""
        rest(self.server.pid)


class RuntimeMissingError(Exception):
    """No runtime of a function is on this host. The text is the platform's."""

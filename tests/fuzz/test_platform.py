"""A whole platform: any operation of any service, asked wrongly. No 500, no traceback, in bounds.

The service models say what can be asked, as a schema would; see ``docs/security.md`` for why no
schema is read for it.
"""

import contextlib
import http.client
import io
import json
import re
import socket
import urllib.parse
import zipfile

import pytest

from alonzo.daemon.catalog import SERVICES
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import PYTHON_RUNTIME, ROLE
from alonzo.testing.fuzz_requests import changed_request, good_request, on_the_wire
from alonzo.testing.fuzzing import mutated

NAMES = [service.name for service in SERVICES]
#: A request whose answer takes longer is one that waits, for messages or for its own rest.
SECONDS_MAX = 3


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    daemon = DaemonProcess(tmp_path_factory.mktemp("fuzz") / "data", "--auth", "off")
    daemon.start()
    # Something for requests to be about: they all speak of things.
    with contextlib.ExitStack() as made:
        for service in ("iam", "kms", "logs", "ssm", "secretsmanager", "lambda"):
            made.callback(daemon.client(service).close)
        daemon.client("logs").create_log_group(logGroupName="thing")
        daemon.client("ssm").put_parameter(Name="/thing/a", Value="x", Type="String")
        daemon.client("secretsmanager").create_secret(Name="thing", SecretString="{}")
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("m.py", "def handler(event, context):\n    return event\n")
        daemon.client("lambda").create_function(
            FunctionName="thing", Runtime=PYTHON_RUNTIME, Role=ROLE, Handler="m.handler",
            Code={"ZipFile": out.getvalue()},
        )  # fmt: skip
    yield daemon
    # A log may be long, but it has no traceback.
    text = daemon.log
    daemon.stop()
    assert "Traceback" not in text, text[text.index("Traceback") - 500 :][:3000]


class Client:
    """One connection, and the next one where the platform hangs up."""

    def __init__(self, endpoint):
        parts = urllib.parse.urlsplit(endpoint)
        self._address = parts.hostname, parts.port
        self._socket = None

    def ask(self, data, *, again=True):
        """The status of the answer to one request; None if there is none."""
        fresh = self._socket is None
        if fresh:
            self._socket = socket.create_connection(self._address, SECONDS_MAX)
        try:
            self._socket.sendall(data)
            response = http.client.HTTPResponse(self._socket)
            response.begin()
            body = response.read()
            if response.will_close:
                self.close()
        except (OSError, http.client.HTTPException):
            self.close()
            return self.ask(data, again=False) if again and not fresh else (None, b"")
        return response.status, body

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@pytest.mark.parametrize("service", NAMES)
def test_no_request_has_the_platform_fail(fuzz, daemon, service):
    client = Client(daemon.endpoint)

    def step(pick):
        request = good_request(pick, service)
        if pick.random() < 0.8:
            request = changed_request(pick, request)
        # Anybody is let in, but who claims something must claim something that can be.
        headers = tuple(each for each in request.headers if each[0] != b"authorization")
        scope = f"AKIA1/20261121/us-east-1/{SIGNING.get(service, service)}/aws4_request"
        sign = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'a' * 64}"
        request = type(request)(
            request.method, request.raw_path, request.query,
            (*headers, (b"authorization", sign.encode())), request.body, "",
        )  # fmt: skip
        status, body = client.ask(on_the_wire(request))
        assert status is None or status < 500 or status == 501, (status, body[:500], request)
        # Texts of the language it is written in are no texts for clients.
        assert not re.search(rb"Traceback|<class '|object at 0x|\.py\b.*line \d", body), body[:500]

    try:
        fuzz(step, pid=daemon.pid)
    finally:
        client.close()


SIGNING = {"cloudwatch": "monitoring", "stepfunctions": "states", "dynamodbstreams": "dynamodb"}


def test_no_bytes_have_the_platform_fail(fuzz, daemon):
    address = urllib.parse.urlsplit(daemon.endpoint)

    def step(pick):
        data = b"".join(
            on_the_wire(good_request(pick, pick.choice(NAMES))) for _ in range(pick.choice((1, 3)))
        )
        with (
            socket.create_connection((address.hostname, address.port), SECONDS_MAX) as peer,
            contextlib.suppress(OSError),
        ):
            peer.sendall(mutated(pick, data))
            peer.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := peer.recv(65536):
                answer += piece
            assert not re.search(rb"HTTP/1\.1 50[0234]", answer), answer[:500]

    fuzz(step, pid=daemon.pid)


def test_it_still_works(daemon):
    client = daemon.client("sts")
    assert client.get_caller_identity()["Account"]
    with contextlib.closing(Client(daemon.endpoint)) as probe:
        status, body = probe.ask(b"GET /_alonzo/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status == 200
    assert json.loads(body)
    client.close()

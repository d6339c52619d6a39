"""Function URLs for tests: made, opened to everybody, and called by curl."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any
from urllib.parse import urlsplit

from alonzo.testing.daemon import REGION, DaemonProcess
from alonzo.testing.functions import DeployedFunction

ECHO = "def handler(event, context):\n    return event\n"


class Url:
    """One function URL and its function. ``config``: members of CreateFunctionUrlConfig."""

    def __init__(self, platform: DaemonProcess, function: DeployedFunction, **config: Any) -> None:
        self.client = function.client
        self.name = function.name
        self.platform = platform
        self.where = {"FunctionName": self.name}
        if "Qualifier" in config:
            self.where["Qualifier"] = config["Qualifier"]
        made = self.client.create_function_url_config(
            FunctionName=self.name, **{"AuthType": "NONE", **config}
        )
        self.url: str = made["FunctionUrl"]
        found = re.search("[a-z0-9]{32}", self.url)
        assert found is not None
        self.id = found[0]

    def allow(self, *, via_url: bool = True) -> Url:
        """Let everybody in, as the console does it."""
        self.client.add_permission(
            **self.where,
            StatementId="url",
            Action="lambda:InvokeFunctionUrl",
            Principal="*",
            FunctionUrlAuthType="NONE",
        )
        if via_url:
            self.client.add_permission(
                **self.where,
                StatementId="function",
                Action="lambda:InvokeFunction",
                Principal="*",
                InvokedViaFunctionUrl=True,
            )
        return self

    @property
    def host(self) -> str:
        """The host that names the URL."""
        port = urlsplit(self.platform.endpoint).port
        return f"{self.id}.lambda-url.{REGION}.localhost:{port}"


class Reply:
    """What curl got."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100"):
            head, _, self.body = self.body.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.fields = [(name.lower(), value) for name, _, value in (
            line.partition(": ") for line in lines
        )]  # fmt: skip
        self.headers = dict(self.fields)

    @property
    def json(self) -> Any:
        """The body as a JSON document."""
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        """The values of a header that is repeated."""
        return [value for each, value in self.fields if each == name]


def curl(url: str, *options: str, stdin: bytes | None = None) -> Reply:
    """Call a URL, and wait for the whole answer."""
    command = ["curl", "-si", "--max-time", "20", "--path-as-is", *options, url]
    done = subprocess.run(command, input=stdin, capture_output=True, check=True)
    return Reply(done.stdout)

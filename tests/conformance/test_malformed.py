"""Thousands of odd requests with good signatures against the whole platform.

What the edge makes of broken HTTP and broken signatures is tested elsewhere; here the requests get
as far as the handlers of the operations and their store. Each is a likely call of an operation with
something wrong in it, made from a seed, so a failure names the request that did it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import socket
import time
from collections import Counter
from functools import cache
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alonzo.daemon.catalog import SERVICES
from alonzo.testing.clients import botocore_session
from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, deploy, package

MIB = 1 << 20
SEED = 20261120
#: Requests to each service. The first ones warm up what is loaded and compiled once.
REQUESTS = {"lambda": 2500, "logs": 2500, "invoke": 700, "sts": 100}
#: The log is looked at after so many requests; it shows which of them it was.
LOOK_EVERY = 50
WARM_UP = 0.25
GROWTH_BYTES_MAX = 24 * MIB
ANSWER_S_MAX = 20.0

ACCOUNT = "000000000000"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:target"
GROUP = "/aws/lambda/target"
GROUP_ARN = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}"
ZIP = package("def handler(event, context): return event")

NOW_MS = int(time.time() * 1000)


def sealed(value):
    """A marker that was not altered on the way, of whatever value."""
    text = json.dumps(value).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()[:6] + text).decode()


#: Likely values of members, by their lower-case names; others are made of their shapes.
LIKELY = {
    "functionname": ["target", ARN, f"{ACCOUNT}:function:target", "target:$LATEST", "other"],
    "resource": [ARN, ARN + ":1", f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:x"],
    "qualifier": ["$LATEST", "1", "prod"],
    "runtime": [PYTHON_RUNTIME, "provided.al2023", "java21", "python2.7"],
    "role": [ROLE],
    "handler": ["handler.handler"],
    "zipfile": [ZIP, ZIP[:-9], b"", b"PK\x05\x06" + bytes(18)],
    "timeout": [1, 3, 900],
    "memorysize": [128, 256],
    "variables": [{"NAME": "value"}],
    "loggroup": [GROUP, "/custom"],
    "loggroupname": [GROUP, "/mine", "/other"],
    "loggroupidentifier": [GROUP, GROUP_ARN, GROUP_ARN + ":*"],
    "resourcearn": [GROUP_ARN, GROUP_ARN + ":*"],
    "logstreamname": ["stream", "other"],
    "timestamp": [NOW_MS, NOW_MS - 1000],
    "starttime": [0, NOW_MS - 5000],
    "endtime": [NOW_MS + 5000],
    "limit": [1, 5, 50],
    "filterpattern": ["", "a", '"a b"', "{ $.a = 1 }", "[a, b]", "?a ?b", "-a", "%a+%"],
    "retentionindays": [1, 7, 3653],
    "nexttoken": [
        "f/" + "0" * 56 + "/s",
        "b/" + "9" * 56 + "/s",
        base64.urlsafe_b64encode(b"f/" + b"9" * 56 + b"/s").decode().rstrip("="),
        base64.urlsafe_b64encode("/aws/\udc00".encode("utf-8", "surrogatepass")).decode(),
    ],
    "marker": [
        sealed([listing, *place])
        for listing in ("ListFunctions", "ListFunctions ALL", "ListLayerVersions", "ListAliases")
        for place in (["a", "$LATEST"], ["\ud800", "\x00"], ["x" * 9000, ""], [1, 2], ["ab"])
    ],
    "maxitems": [1, 50],
    "revisionid": ["00000000-0000-0000-0000-000000000000"],
    "masterregion": ["us-east-1", "ALL"],
}
#: The same of operations that take something away: nothing that the others are about.
DISPOSABLE = LIKELY | {
    "functionname": ["other"],
    "loggroupname": ["/other", "/custom"],
    "logstreamname": ["other"],
}

#: Operations that may leave a function without any concurrency, so that it answers no more calls.
STARVING = {"PutFunctionConcurrency"}

DEEP = "@deep@"
ODD_TEXTS = [
    "", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\u202e", "Å", "\U0001d4b3" * 70,
    "x" * 5000, "../../../etc/passwd", "%00", "%", "%s%n", "a/b", "a:b:c", ":", "::::::::",
    "$", "$LATEST", "$LATEST.PUBLISHED", "$latest", "*", "?", "'; DROP TABLE log_group; --",
    "\r\nX: y", "null", "NaN", "-1", "1e400", "0x10", "٣", "arn:", "arn:aws:lambda",
    "arn:aws:lambda:::function:x", "arn:aws:lambda:eu-west-1:999999999999:function:x:y:z",
    f"arn:aws-cn:lambda:us-east-1:{ACCOUNT}", f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:x:1",
    "arn:aws:logs:us-east-1:0:log-group:x", "function", "function:", "a" * 141, "-", "_", ".",
    "..", "/", "//", "aws/x", "AWS/x", "=" * 10, "AAAA", "A===", "Zg==\n", "f/1/s", "{", "[",
    "[a, ..., b]", "{ $.a[*] = 1 }", "%(%", "{ " + "(" * 300 + "$.a = 1" + ")" * 300 + " }",
    "%" + "a{1,999}" * 9 + "%", "?" * 40, '"', "\\", "1970-01-01T00:00:00Z",
    "99999-99-99T99:99:99Z", "python3.11\n", DEEP,
]  # fmt: skip
ODD_NUMBERS = [
    0, -0.0, -1, 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64,
    10**40, 10**400, 1.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"),
    253402300800000, -62135596800001,
]  # fmt: skip
ODD_TREES = [
    None, True, False, [], {}, [[]], [None], {"": None}, [1, "a", None, {}], {"__type": "x"},
    {"a": {"a": {"a": {}}}}, ["x"] * 3000, {f"k{n}": n for n in range(300)}, {"\x00": "\ud800"},
]  # fmt: skip
#: One of these is written in a document in the place of ``DEEP``: too deep, or no JSON at all.
RAW = [
    b"[" * 200 + b"]" * 200, b"[" * 50_000 + b"]" * 50_000, b"[" * 9000,
    b'{"a":' * 30_000 + b"1" + b"}" * 30_000, b"1" * 5000, b"1e999999999", b"-", b"01", b"+1",
    b"'x'", b"\xff\xfe", b'"\xff"', b'"\xed\xa0\x80"', b"nul", b"\xef\xbb\xbf1", b'"\\u12"',
    b'"\\x00"', b"1,2", b"", b"}", b"/**/1",
]  # fmt: skip
ODD_BODIES = [
    b"", b"null", b"[]", b"0", b'""', b"{", b"}", b"{}{}", b"\x00", b"\xff" * 99,
    b"\xef\xbb\xbf{}", b"\x1f\x8b\x08\x00", b"a=b&c=d", b"<xml/>", b"{}" + b" " * 100_000,
    b'{"a":1,"a":2}', b'{"":""}', b"[" * 100_000, b'{"a":' * 100_000,
    json.dumps({"x" * 100_000: 1}).encode(),
]  # fmt: skip


@cache
def model(service):
    return botocore_session().get_service_model(service)


@cache
def implemented(service):
    """The names of the operations that the platform has."""
    names = model(service).operation_names
    missing = next(each.unsupported for each in SERVICES if each.name == service)
    return sorted(set(names) - set(missing) - {"InvokeAsync", "InvokeWithResponseStream"})


class Maker:
    """Makes requests: method, path with query, headers, body."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, service):
        if service == "invoke":
            return self.invoke()
        operation = model(service).operation_model(self.pick(implemented(service)))
        harmful = operation.name.startswith("Delete") or operation.name in STARVING
        likely = DISPOSABLE if harmful else LIKELY
        params = self.likely(operation.input_shape, likely) if operation.input_shape else {}
        for _ in range(self.pick([0, 0, 1, 1, 1, 2, 3])):
            params = self.wrong(params)
        if not isinstance(params, dict):
            params = {}
        if service == "logs":
            headers = {
                "X-Amz-Target": f"Logs_20140328.{operation.name}",
                "Content-Type": "application/x-amz-json-1.1",
            }
            return "POST", "/", headers, self.body(params)
        if service == "sts":
            form = {"Action": operation.name, "Version": "2011-06-15", **self.junk()}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return "POST", "/", headers, self.broken(urlencode(form, errors="replace").encode())
        return self.rest(operation, params)

    def pick(self, options):
        return self.random.choice(options)

    def junk(self):
        return {self.pick(ODD_TEXTS): self.pick(ODD_TEXTS) for _ in range(self.pick([0, 1, 3]))}

    def odd(self):
        return self.pick(self.pick([ODD_TEXTS, ODD_TEXTS, ODD_NUMBERS, ODD_TREES]))

    # Documents

    def likely(self, shape, likely, name=""):
        """A value that fits a shape, most of the time."""
        if name.lower() in likely:
            return self.pick(likely[name.lower()])
        match shape.type_name:
            case "structure":
                return {
                    member: self.likely(inner, likely, member)
                    for member, inner in shape.members.items()
                    if member in shape.required_members
                    or self.random.random() < (0.7 if member == "logGroupName" else 0.15)
                }
            case "list":
                inner = f"{name}.member"
                return [
                    self.likely(shape.member, likely, inner) for _ in range(self.pick([0, 1, 3]))
                ]
            case "map":
                return {self.likely(shape.key, likely): self.likely(shape.value, likely)}
            case "string":
                return self.pick(shape.enum) if shape.enum else self.pick(["text", "name-1"])
            case "blob":
                return ZIP
            case "boolean":
                return self.pick([True, False])
            case _:
                return self.pick([1, 3, NOW_MS])

    def wrong(self, tree):
        """The tree with one value, name or level in it replaced, added or taken away."""
        if isinstance(tree, dict) and tree and self.random.random() < 0.9:
            name = self.pick(list(tree))
            if self.random.random() < 0.1:
                return {self.pick([*ODD_TEXTS, name.swapcase()]): tree[name], **tree}
            if self.random.random() < 0.05:
                return {key: value for key, value in tree.items() if key != name}
            return {**tree, name: self.wrong(tree[name])}
        if isinstance(tree, list) and tree and self.random.random() < 0.7:
            at = self.random.randrange(len(tree))
            return [*tree[:at], self.wrong(tree[at]), *tree[at + 1 :]]
        if isinstance(tree, dict):
            return {**tree, self.pick(ODD_TEXTS): self.odd()}
        if isinstance(tree, int | float | str) and self.random.random() < 0.7:
            return self.pick(ODD_TEXTS if isinstance(tree, str) else ODD_NUMBERS)
        return self.odd()

    def body(self, document):
        def plain(value):
            return base64.b64encode(value).decode()

        text = json.dumps(document, default=plain, ensure_ascii=self.random.random() < 0.7)
        body = text.encode("utf-8", "surrogatepass")
        return self.broken(body.replace(json.dumps(DEEP).encode(), self.pick(RAW)))

    def broken(self, body):
        """The body, rarely with something done to its bytes."""
        match self.random.randrange(40):
            case 0:
                return self.pick(ODD_BODIES)
            case 1:
                return body[: self.random.randrange(len(body) + 1)]
            case 2:
                at = self.random.randrange(len(body) + 1)
                return body[:at] + self.random.randbytes(3) + body[at:]
            case _:
                return body

    # Requests

    def rest(self, operation, params):
        path, query, headers, document = operation.http["requestUri"], [], {}, {}
        for name, value in params.items():
            shape = operation.input_shape.members.get(name)
            at = shape.serialization if shape is not None else {}
            wire = at.get("name", name)
            match at.get("location"):
                case "uri":
                    label = quote(text_of(value)[:3000], safe="", errors="surrogatepass")
                    path = path.replace("{" + wire + "}", label or "%20")
                case "querystring":
                    query += [
                        (wire, each) for each in (value if isinstance(value, list) else [value])
                    ]
                case "header":
                    headers[wire] = header_of(value)
                case _:
                    document[wire] = value
        query += self.junk().items() if self.random.random() < 0.1 else ()
        if query:
            pairs = [(text_of(name), text_of(value)) for name, value in query]
            path += ("&" if "?" in path else "?") + urlencode(
                pairs, quote_via=quote, safe="", errors="surrogatepass"
            )
        path = re.sub(r"\{\w+\}", lambda _: "x", path)
        method = operation.http["method"]
        body = self.body(document) if method in ("POST", "PUT") or document else b""
        if self.random.random() < 0.5:
            headers["Content-Type"] = "application/json"
        return method, path, headers, body

    def invoke(self):
        name = self.pick(LIKELY["functionname"] if self.random.random() < 0.7 else ODD_TEXTS)
        label = quote(name, safe="", errors="surrogatepass") or "%20"
        path = f"/2015-03-31/functions/{label}/invocations"
        if self.random.random() < 0.3:
            odd = self.pick([*ODD_TEXTS, *LIKELY["qualifier"]])
            path += "?Qualifier=" + quote(odd, safe="", errors="surrogatepass")
        good = base64.b64encode(b'{"custom":{}}').decode()
        options = {
            "X-Amz-Invocation-Type": ["RequestResponse", "Event", "DryRun", "event", *ODD_TEXTS],
            "X-Amz-Log-Type": ["Tail", "None", "tail", *ODD_TEXTS],
            "X-Amz-Client-Context": [good, good[:-2], "e30=", "W10=", "x" * 4000, *ODD_TEXTS],
            "X-Amzn-Trace-Id": ["Root=1-00000000-" + "0" * 24, "Root=", "Sampled=1", *ODD_TEXTS],
            "X-Amz-Tenant-Id": ["tenant", *ODD_TEXTS],
            "X-Amz-Durable-Execution-Name": ODD_TEXTS,
            "Content-Type": ["application/json", "text/xml", *ODD_TEXTS],
        }
        chosen = self.random.sample(list(options), self.pick([0, 1, 1, 2, 4]))
        headers = {header: header_of(self.pick(options[header])) for header in chosen}
        body = self.pick([b"", b"{}", b'"x"', self.body(self.odd()), *ODD_BODIES])
        return "POST", path, headers, body


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value, default=repr)


def header_of(value):
    """The text of a header: on one line, as the edge's own tests cover the rest."""
    text = re.sub(r"[\r\n\x00]", "", text_of(value)).strip()
    return text.encode("utf-8", "replace").decode()[:6000]


class Wire:
    """Sends signed requests over a plain socket, and reads what comes back."""

    def __init__(self, endpoint, key):
        self.host = endpoint.removeprefix("http://")
        name, _, port = self.host.partition(":")
        self.address = (name, int(port))
        self.key = Credentials(*key)
        self.socket = None

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None

    def send(self, service, method, target, headers, body):
        """The status and the body of the answer."""
        request = AWSRequest(method, f"http://{self.host}{target}", headers, body)
        SigV4Auth(self.key, service, "us-east-1").add_auth(request)
        lines = [f"{method} {target} HTTP/1.1".encode(), f"Host: {self.host}".encode()]
        lines += [f"{name}: {value}".encode() for name, value in request.headers.items()]
        lines.append(b"Content-Length: %d" % len(body))
        if self.socket is None:
            self.socket = socket.create_connection(self.address, ANSWER_S_MAX)
        self.socket.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        with HTTPResponse(self.socket, method=method) as response:
            response.begin()
            answer = response.status, response.read()
            if response.will_close:
                self.close()
        return answer


def resident_bytes(pid):
    fields = Path("/proc", str(pid), "statm").read_text().split()
    return int(fields[1]) * 4096


@pytest.fixture
def target(own_platform):
    """A platform with a function and a log group that odd requests are about."""
    daemon = own_platform()
    deploy(daemon.client("lambda"), "target", "def handler(event, context): return event")
    logs = daemon.client("logs")
    logs.create_log_group(logGroupName="/mine")
    logs.create_log_stream(logGroupName="/mine", logStreamName="stream")
    return daemon


def test_thousands_of_odd_requests_find_no_failure_of_ours(target):
    make = Maker(SEED)
    wire = Wire(target.endpoint, target.root_key())
    order = [service for service, count in REQUESTS.items() for _ in range(count)]
    make.random.shuffle(order)
    warm_at, warm_bytes = int(len(order) * WARM_UP), 0
    accepted = Counter()
    try:
        for number, service in enumerate(order):
            if number == warm_at:
                warm_bytes = resident_bytes(target.pid)
            request = make.one(service)
            try:
                status, answer = wire.send("lambda" if service == "invoke" else service, *request)
            except OSError as error:
                pytest.fail(f"request {number}: {error!r}: {str(request)[:2000]}")
            shown = f"request {number}: {answer[:500]} for {str(request)[:2000]}"
            assert status < 500 or status == 501, shown
            if number % LOOK_EVERY == 0 or number == len(order) - 1:
                assert "Traceback" not in target.log, f"{shown}\n{target.log}"
            accepted[service] += status < 300
    finally:
        wire.close()
    for service, count in REQUESTS.items():
        assert accepted[service] > count / 20, f"{service}: the requests are too odd to tell much"
    grown = resident_bytes(target.pid) - warm_bytes
    assert grown < GROWTH_BYTES_MAX, f"memory grew by {grown / MIB:.0f} MiB"
    fresh = deploy(target.client("lambda"), "fresh", "def handler(event, context): return event")
    assert fresh.invoke("well").json == "well"

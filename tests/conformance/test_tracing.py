"""Trace headers in and out, what is sampled, and spans on their way to a collector."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from alonzo.testing.functions import deploy
from alonzo.testing.waiting import eventually

SHOW = """
import os
def handler(event, context):
    if event == "fail":
        raise ValueError("no")
    return {k: v for k, v in os.environ.items() if "XRAY" in k or "_TRACE_" in k}
"""
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"
FORM = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01];Lineage=1:[0-9a-f]{8}:0"


def call(client, name, header=None, payload="1"):
    """What the function saw, and the header of the answer."""

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = header

    if header is not None:
        client.meta.events.register_first("before-sign.lambda.Invoke", add)
    try:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(payload))
    finally:
        if header is not None:
            client.meta.events.unregister("before-sign.lambda.Invoke", add)
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return json.loads(answer["Payload"].read()), headers["x-amzn-trace-id"]


@pytest.fixture
def messages(logs_client):
    def of(deployed, start):
        group = f"/aws/lambda/{deployed.name}"
        events = logs_client.filter_log_events(logGroupName=group)["events"]
        return [each["message"] for each in events if each["message"].startswith(start)]

    return of


def test_a_function_sees_the_trace_that_the_answer_names(function, lambda_client):
    seen, answered = call(lambda_client, function(SHOW).name)
    assert seen == {
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "_X_AMZN_TRACE_ID": answered,
    }
    assert re.fullmatch(FORM, answered)
    assert "Sampled=0" in answered


def test_what_is_sent_to_the_daemon_of_x_ray_is_lost_without_an_error(function):
    source = (
        "import os, socket\n"
        "def handler(event, context):\n"
        "    host, port = os.environ['AWS_XRAY_DAEMON_ADDRESS'].split(':')\n"
        "    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:\n"
        "        sender.setblocking(False)\n"
        "        return [sender.sendto(b'segment', (host, int(port))) for _ in range(3)]\n"
    )
    assert function(source).invoke().json == [7, 7, 7]


@pytest.mark.parametrize("mode", ["Active", "PassThrough"])
@pytest.mark.parametrize("sampled", ["0", "1"])
def test_what_the_caller_decided_holds(function, lambda_client, messages, mode, sampled):
    shown = function(SHOW, TracingConfig={"Mode": mode})
    header = f"{ROOT};Parent=53995c3f42cd8ad8;Sampled={sampled}"
    seen, _ = call(lambda_client, shown.name, header)
    assert seen["_X_AMZN_TRACE_ID"].startswith(f"{ROOT};Parent=")
    assert "53995c3f42cd8ad8" not in seen["_X_AMZN_TRACE_ID"]
    assert f"Sampled={sampled};" in seen["_X_AMZN_TRACE_ID"]
    (report,) = messages(shown, "REPORT")
    segment = re.search("Parent=(.{16})", seen["_X_AMZN_TRACE_ID"])[1]
    line = f"\nXRAY TraceId: {ROOT[5:]}\tSegmentId: {segment}\tSampled: true\t\n"
    assert report.endswith(line) is (sampled == "1")


def test_active_tracing_samples_where_the_caller_left_it_open(function, lambda_client):
    traced = function(SHOW, TracingConfig={"Mode": "Active"})
    assert lambda_client.get_function_configuration(FunctionName=traced.name)["TracingConfig"] == {
        "Mode": "Active"
    }
    assert "Sampled=1" in call(lambda_client, traced.name)[1]
    lambda_client.update_function_configuration(
        FunctionName=traced.name, TracingConfig={"Mode": "PassThrough"}
    )
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=traced.name)
    assert "Sampled=0" in call(lambda_client, traced.name)[1]


def test_json_logs_name_the_trace(function, lambda_client, logs_client):
    shown = function(SHOW, TracingConfig={"Mode": "Active"}, LoggingConfig={"LogFormat": "JSON"})
    _, answered = call(lambda_client, shown.name)
    group = f"/aws/lambda/{shown.name}"
    records = [
        json.loads(each["message"])
        for each in logs_client.filter_log_events(logGroupName=group)["events"]
    ]
    traced = {each["type"]: each["record"].get("tracing") for each in records if "type" in each}
    expected = {"type": "X-Amzn-Trace-Id", "value": answered}
    assert traced["platform.start"] == traced["platform.report"] == expected


class Collector:
    """An OpenTelemetry receiver that keeps what it gets."""

    def __init__(self, status=200):
        requests = self.requests = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                requests.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self):
        return [
            span
            for _, _, body in list(self.requests)
            for resource in body["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def attributes(span):
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def test_traced_invocations_reach_an_open_telemetry_collector(own_platform):
    with Collector() as collector:
        platform = own_platform(
            "--otlp-endpoint", collector.url, OTEL_EXPORTER_OTLP_HEADERS="api-key=a%20b"
        )
        client = platform.client("lambda")
        traced = deploy(client, "traced", SHOW)
        header = f"{ROOT};Parent=53995c3f42cd8ad8;Sampled=1"
        _, answered = call(client, traced.name, header)
        call(client, traced.name, f"{ROOT};Sampled=0")
        call(client, traced.name, f"{ROOT};Sampled=1", "fail")
        first, second = eventually(lambda: len(collector.spans) == 2 and collector.spans, 10.0)
        path, headers, _ = collector.requests[0]
        platform.stop()
    assert (path, headers["api-key"]) == ("/v1/traces", "a b")
    assert first["traceId"] == ROOT[7:].replace("-", "")
    assert first["spanId"] == re.search("Parent=(.{16})", answered)[1]
    assert first["parentSpanId"] == "53995c3f42cd8ad8"
    assert (first["name"], first["status"]) == ("traced", {})
    assert int(first["startTimeUnixNano"]) <= int(first["endTimeUnixNano"])
    assert attributes(first)["faas.coldstart"] is True
    assert attributes(first)["faas.version"] == "$LATEST"
    assert "parentSpanId" not in second
    assert second["status"] == {"code": 2}
    assert attributes(second)["faas.coldstart"] is False


def test_spans_that_wait_are_sent_when_the_platform_stops(own_platform):
    with Collector() as collector:
        platform = own_platform("--otlp-endpoint", collector.url)
        client = platform.client("lambda")
        deploy(client, "traced", SHOW)
        call(client, "traced", f"{ROOT};Sampled=1")
        platform.stop()
        assert len(collector.spans) == 1


def test_a_collector_that_is_gone_costs_no_invocation(own_platform):
    platform = own_platform("--otlp-endpoint", "http://127.0.0.1:1/v1/traces")
    client = platform.client("lambda")
    deploy(client, "traced", SHOW)
    seen, _ = call(client, "traced", f"{ROOT};Sampled=1")
    assert seen
    platform.stop()
    assert "Traceback" not in platform.log


def test_an_address_that_is_none_is_refused_at_the_start(tmp_path):
    import subprocess
    import sys

    ended = subprocess.run(
        [sys.executable, "-m", "alonzo", "serve", "--data-dir", str(tmp_path / "data"),
         "--otlp-endpoint", "collector:4318"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "--otlp-endpoint takes a URL" in ended.stderr

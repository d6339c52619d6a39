"""The shell bootstrap that other rooms deploy, against the smallest Runtime API there can be."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

BOOTSTRAP = Path(__file__).parents[2] / "functions/provided/bootstrap"


def test_it_echoes_fails_and_exits(tmp_path):
    calls = [b'{"a": "\xc3\xa9"}', b'{"fail":1}', b'{"exit":5}']
    posted: list[tuple[str, bytes]] = []

    class RuntimeApi(BaseHTTPRequestHandler):
        def do_GET(self):
            body = calls.pop(0)
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", f"id-{len(calls)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path.removeprefix("/2018-06-01/runtime/"), body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *values):
            pass

    with HTTPServer(("127.0.0.1", 0), RuntimeApi) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            done = subprocess.run(
                [BOOTSTRAP],
                env={
                    "PATH": os.environ["PATH"],
                    "TMPDIR": str(tmp_path),
                    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
                },
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
        finally:
            server.shutdown()
            thread.join()
    assert done.returncode == 5
    assert posted == [
        ("invocation/id-2/response", b'{"a": "\xc3\xa9"}'),
        ("invocation/id-1/error", b'{"errorMessage":"failed","errorType":"Failed"}'),
    ]
    assert done.stderr.splitlines() == ["echo id-2", "echo id-1", "echo id-0"]

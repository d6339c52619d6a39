"""An HTTP endpoint of a test's own, which keeps what is posted to it."""

from __future__ import annotations

import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HttpEndpoint:
    """Listens from when it is made until ``close``.

    ``posts`` are paths, headers and bodies. ``answers`` are the statuses of the next posts; 200
    where there are none.
    """

    def __init__(self) -> None:
        self.posts: list[tuple[str, Message, str]] = []
        self.answers: list[int] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Keep it."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.posts.append((self.path, self.headers, body.decode()))
                self.send_response(endpoint.answers.pop(0) if endpoint.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/in?a=b"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

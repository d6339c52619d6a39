"""Function URLs under a real browser: a page of another origin, preflight, streamed answers."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from alonzo.testing.function_urls import Url

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium here: `make setup` as root installs it on Debian"
)

#: Answers in two pieces what it was asked.
HANDLER = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const { method, path } = event.requestContext.http;
  stream = awslambda.HttpResponseStream.from(stream, {
    statusCode: 201, headers: { 'content-type': 'text/plain', 'x-a': '1', 'x-b': '2' },
  });
  stream.write(`${method} ${path} ${event.headers['x-one']} ${event.body} `);
  stream.end('end');
});
"""

#: Calls the URL that it is given, and tells its own server what it saw.
PAGE = """<!doctype html><script>
(async () => {
  const seen = {};
  try {
    const answer = await fetch(URL_HERE, { method: 'PUT', headers: { 'x-one': '1' }, body: 'hi' });
    seen.status = answer.status;
    seen.exposed = answer.headers.get('x-a');
    seen.hidden = answer.headers.get('x-b');
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    seen.text = '';
    for (let piece = await reader.read(); !piece.done; piece = await reader.read())
      seen.text += piece.value;
  } catch (error) {
    seen.error = error.name;
  }
  await fetch('/seen', { method: 'POST', body: JSON.stringify(seen) });
})();
</script>"""


class Site(ThreadingHTTPServer):
    """Serves one page, and takes what it has seen."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page = b""
        self.seen: queue.Queue[Any] = queue.Queue()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self._answer(self.server.page if self.path == "/" else b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")
        self.server.seen.put(json.loads(body))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def look(site: Site, tmp_path: Path) -> Callable[[str], Any]:
    """Have the page call a URL in a browser; what it saw."""

    def run(url: str) -> Any:
        site.page = PAGE.replace("URL_HERE", json.dumps(url)).encode()
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
        assert BROWSER is not None
        command = [BROWSER, *options, f"--user-data-dir={tmp_path}", "--remote-debugging-port=0"]
        browser = subprocess.Popen(
            [*command, site.origin],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return site.seen.get(timeout=40)
        finally:
            # Its helpers are of its session.
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait(20)

    return run


@pytest.fixture
def streaming(platform: Any, function: Any) -> Callable[..., Url]:
    """A URL whose answers are streamed, for pages of the origins given."""

    def make(*origins: str) -> Url:
        handler = function({"handler.js": HANDLER}, Runtime="nodejs24.x")
        cors = {
            "AllowOrigins": list(origins),
            "AllowMethods": ["PUT"],
            "AllowHeaders": ["x-one"],
            "ExposeHeaders": ["x-a"],
        }
        return Url(platform, handler, InvokeMode="RESPONSE_STREAM", Cors=cors).allow()

    return make


@pytest.mark.parametrize("named_by", ["host", "path"])
def test_a_page_of_an_allowed_origin_reads_what_it_may(
    streaming: Any, look: Any, site: Site, named_by: str
) -> None:
    made = streaming(site.origin)
    seen = look(f"http://{made.host}/a" if named_by == "host" else made.url + "a")
    assert seen == {
        "status": 201,
        "exposed": "1",
        "hidden": None,
        "text": "PUT /a 1 hi end",
    }


def test_a_page_of_another_origin_is_kept_out_by_the_browser(streaming: Any, look: Any) -> None:
    made = streaming("https://elsewhere.example")
    assert look(f"http://{made.host}/") == {"error": "TypeError"}

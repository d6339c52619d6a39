"""Functions that speak on their own link to the daemon, in the place of our bootstraps."""

import base64
import contextlib

import pytest

from alonzo.runtimes.framing import Kind, encode
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import PYTHON_RUNTIME, deploy
from alonzo.testing.fuzzing import mutated

FRAMES = [
    encode(Kind.READY, {}),
    encode(Kind.RESPONSE, {"id": "ID"}, b'{"ok":true}'),
    encode(Kind.ERROR, {"id": "ID", "type": "Unhandled"}, b'{"errorType":"x"}'),
    encode(Kind.CHUNK, {"id": "ID", "type": "text/plain"}, b"piece"),
    encode(Kind.INIT_ERROR, {"type": "x"}, b"{}"),
    encode(Kind.INVOKE, {"id": "ID"}, b"{}"),
    encode(Kind.CONFIG, {}, b"{}"),
]
PYTHON = """
import base64, os

def handler(event, context):
    data = base64.b64decode(event["data"]).replace(b"ID", context.aws_request_id.encode())
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + name).startswith("socket:"):
                os.write(int(name), data)
        except OSError:
            pass
    return "done"
"""
NODE = """
const fs = require("fs");
exports.handler = async (event, context) => {
  const data = Buffer.from(event.data, "base64").toString("latin1");
  const bytes = Buffer.from(data.replaceAll("ID", context.awsRequestId), "latin1");
  for (const name of fs.readdirSync("/proc/self/fd")) {
    try {
      if (fs.readlinkSync("/proc/self/fd/" + name).startsWith("socket:"))
        fs.writeSync(Number(name), bytes);
    } catch (error) {}
  }
  return "done";
};
"""
HOSTILE = {
    "python": {"source": PYTHON, "Runtime": PYTHON_RUNTIME},
    "node": {"source": {"handler.js": NODE}, "Runtime": "nodejs24.x"},
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    daemon = DaemonProcess(tmp_path_factory.mktemp("runtimes") / "data")
    daemon.start()
    yield daemon
    text = daemon.log
    daemon.stop()
    assert "Traceback" not in text, text[text.index("Traceback") - 500 :][:3000]


@pytest.mark.parametrize("language", HOSTILE)
def test_a_function_on_its_own_link_harms_itself_alone(fuzz, daemon, language):
    client = daemon.client("lambda")
    configuration = dict(HOSTILE[language])
    source = configuration.pop("source")
    hostile = deploy(client, f"hostile-{language}", source, Timeout=3, **configuration)
    honest = deploy(
        client, f"honest-{language}", "def handler(event, context):\n    return event\n"
    )

    def step(pick):
        data = b"".join(pick.choice(FRAMES) for _ in range(pick.choice((1, 2, 4))))
        data = mutated(pick, data) if pick.random() < 0.8 else data
        payload = {"data": base64.b64encode(data[:30_000]).decode()}
        # It may have broken so many environments that it has to wait for a new one.
        with contextlib.suppress(client.exceptions.TooManyRequestsException):
            assert hostile.invoke(payload).status == 200
        if pick.random() < 0.1:
            assert honest.invoke({"n": 1}).json == {"n": 1}

    fuzz(step, pid=daemon.pid, share=0.01)
    assert honest.invoke({"n": 2}).json == {"n": 2}

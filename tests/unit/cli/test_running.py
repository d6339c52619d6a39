"""Finding the platform of a data directory."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from alonzo.cli.main import main

KEY = {"access_key_id": "AKIATEST", "secret_access_key": "it's/a+secret"}


class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"region": "eu-north-1"}'
        self.send_response(200 if self.path == "/_alonzo/health" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def endpoint():
    """Something that answers the health route."""
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def data_dir(folder, lock, key=KEY):
    (folder / "keys").mkdir()
    (folder / "keys" / "root.json").write_text(json.dumps(key))
    (folder / "lock").write_text(lock)
    return folder


def env(folder, *arguments):
    unset = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION", "ALONZO_DATA_DIR"))
    return CliRunner().invoke(main, ["env", "--data-dir", str(folder), *arguments], env=unset)


def test_env_names_the_region_that_the_platform_was_started_in(endpoint, tmp_path):
    result = env(data_dir(tmp_path, json.dumps({"pid": 1, "endpoint": endpoint})))
    assert "export AWS_REGION=eu-north-1" in result.output.splitlines()


def test_env_prints_exports_that_a_shell_can_evaluate(endpoint, tmp_path):
    lock = json.dumps({"pid": 1, "endpoint": endpoint}) + "\nrest of a longer line"
    result = env(data_dir(tmp_path, lock), "--region", "eu-west-1")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"export AWS_ENDPOINT_URL={endpoint}",
        "export AWS_ACCESS_KEY_ID=AKIATEST",
        """export AWS_SECRET_ACCESS_KEY='it'"'"'s/a+secret'""",
        "export AWS_DEFAULT_REGION=eu-west-1",
        "export AWS_REGION=eu-west-1",
        "export AWS_DISABLE_HOST_PREFIX_INJECTION=true",
        "unset AWS_SESSION_TOKEN",
    ]


@pytest.mark.parametrize(
    "lock",
    [
        "",
        '{"pid": 1, "endpoint": null}\n',
        '{"pid": 1, "endpoint": "http://127.0.0.1:1"}\n',
    ],
    ids=["stopped", "still starting", "killed"],
)
def test_env_says_when_nothing_runs_any_more(lock, tmp_path):
    result = env(data_dir(tmp_path, lock))
    assert result.exit_code == 1
    assert "no platform is running" in result.output


def test_env_says_when_the_directory_is_not_ours(tmp_path):
    result = env(data_dir(tmp_path, "some other program's lock"))
    assert result.exit_code == 1
    assert "is no data directory of Alonzo" in result.output

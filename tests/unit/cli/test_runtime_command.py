"""``alonzo runtime`` with package managers that the test owns."""

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from alonzo.cli.main import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command on a host whose PATH holds the interpreter and ``tmp_path/bin``."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALONZO_TOOLS_DIR", str(tmp_path / "tools"))
    (tmp_path / "bin").mkdir()

    def run(*arguments, exit_code=0):
        result = CliRunner().invoke(main, ["runtime", *arguments])
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def put(folder, name, text):
    program = folder / "bin" / name
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def listed(run, *options):
    return {row["name"]: row for row in json.loads(run("list", "--json", *options))}


def test_the_list_says_what_is_here_since_when_and_how_to_get_the_rest(run):
    rows = listed(run)
    own = rows[f"python3.{sys.version_info.minor}"]
    assert own["status"] == "available"
    assert own["found"] == str(Path(os.path.realpath(sys.base_prefix)))
    assert rows["python3.12"]["deprecated_on"] == "2028-10-31"
    assert rows["python3.12"]["create_until"] == "2028-11-29"
    missing = rows["python3.15"]
    assert (missing["status"], missing["found"]) == ("missing", None)
    assert "alonzo runtime install python3.15" in missing["fix"]
    assert rows["nodejs-sdk"]["status"] == "missing"
    assert "python2.7" not in rows
    assert "python2.7" in listed(run, "--all")
    table = run("list")
    assert "deprecated 2024-10-14" in table
    assert "until 2028-10-31" in table


def test_an_installation_is_there_whole_or_not_at_all(run, tmp_path):
    modules = '"$3/node_modules/@aws-sdk/client-s3"'
    put(tmp_path, "npm", f"mkdir -p {modules}; exit 1")
    assert "npm failed with exit code 1" in run("install", "nodejs-sdk", exit_code=1)
    assert not list((tmp_path / "tools").rglob("*sdk*"))
    put(tmp_path, "npm", f"umask; mkdir -p {modules}")
    assert run("install", "nodejs-sdk").endswith("nodejs-sdk is installed.\n")
    made = tmp_path / "tools/nodejs-sdk"
    assert made.stat().st_mode & 0o777 == 0o755
    assert (made / "node_modules/@aws-sdk/client-s3").stat().st_mode & 0o777 == 0o755
    assert listed(run)["nodejs-sdk"]["found"] == str(made / "node_modules")
    assert "is there already" in run("install", "nodejs-sdk", exit_code=1)


def test_a_program_that_is_no_such_runtime_is_found_out(run, tmp_path):
    put(tmp_path, "uv", 'mkdir -p "$4/cpython-3.15.0/bin"')
    said = run("install", "python3.15", exit_code=1)
    assert "It was installed and cannot be used. python3.15 needs Python 3.15" in said


def test_a_name_that_is_none_or_is_there_already_is_said(run):
    assert "no runtime named python4" in run("install", "python4", exit_code=1)
    own = f"python3.{sys.version_info.minor}"
    assert f"{own} is there already" in run("install", own)
    assert "install Ruby 4.0" in run("install", "ruby4.0", exit_code=1)

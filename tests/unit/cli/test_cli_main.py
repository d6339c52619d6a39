"""The command's top: help without imports, and errors without tracebacks."""

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from alonzo import __version__
from alonzo.cli.main import COMMANDS, main


def run(*arguments, **options):
    return CliRunner().invoke(main, arguments, **options)


def test_the_version_is_the_package_s():
    assert run("--version").output == f"alonzo {__version__}\n"


def test_help_lists_every_command():
    output = run("--help").output
    for command, (_, text) in COMMANDS.items():
        assert command in output
        assert text in output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_loads(command):
    result = run(command, "--help")
    assert result.exit_code == 0, result.output
    assert isinstance(main.get_command(click.Context(main), command), click.Command)


def test_an_unknown_command_is_refused_by_name():
    result = run("deploy")
    assert result.exit_code == 2
    assert "No such command 'deploy'" in result.output


@pytest.mark.parametrize("command", ["--help", "--version", "env --help", "logs --help"])
def test_cheap_commands_import_neither_botocore_nor_the_daemon(command):
    program = (
        "import sys; from alonzo.cli.main import main; sys.argv[1:] = sys.argv[1].split()\n"
        "try: main()\nfinally: print(sorted(m for m in sys.modules if m in "
        "('botocore', 'alonzo.daemon', 'uvloop', 'asyncio', 'rich')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [["env"], ["invoke", "f"], ["logs", "f"]])
def test_commands_say_that_nothing_is_running(command, tmp_path):
    result = run(*command, "--data-dir", str(tmp_path), env={"AWS_ENDPOINT_URL": None})
    assert result.exit_code == 1
    assert f"no platform is running on {tmp_path}" in result.output
    assert "alonzo serve" in result.output


def test_a_refused_connection_is_told_in_one_line():
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    result = run("invoke", "f", env=environment)
    assert result.exit_code == 1
    assert "Could not connect" in result.output
    assert "Is the platform running?" in result.output


def test_serve_refuses_to_open_an_unauthenticated_platform_to_the_network(tmp_path):
    result = run("serve", "--auth", "off", "--host", "0.0.0.0", "--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert "loopback" in result.output


def test_serve_refuses_an_account_that_is_none(tmp_path):
    result = run("serve", "--account", "12", "--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert "12 digits" in result.output

"""Which extensions a folder holds, what they are told, and wrapper scripts."""

import os

import pytest

from alonzo.environments.extensions.external import (
    LaunchError,
    describe_exit,
    extension_variables,
    find_extensions,
)
from alonzo.environments.extensions.wrapper import wrapped
from alonzo.sandbox.base import ExitStatus, SandboxError


def test_every_file_directly_in_the_folder_is_an_extension(tmp_path):
    folder = tmp_path / "extensions"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "hidden").touch()
    for name in ("b", "a", ".dot"):
        (folder / name).touch()
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "dangling").symlink_to("nowhere")
    assert find_extensions(tmp_path) == (".dot", "a", "b", "dangling", "link")


def test_no_folder_is_no_extension(tmp_path):
    assert find_extensions(tmp_path) == ()
    (tmp_path / "extensions").touch()
    assert find_extensions(tmp_path) == ()


def test_a_link_out_of_the_layer_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").touch()
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "extensions").symlink_to(tmp_path / "elsewhere")
    assert find_extensions(tmp_path / "opt") == ()


def test_a_name_that_is_no_text_becomes_one(tmp_path):
    (tmp_path / "extensions").mkdir()
    os.mknod(os.fsencode(tmp_path / "extensions") + b"/\xff")
    (name,) = find_extensions(tmp_path)
    assert name.encode()


def test_one_more_than_the_limit_is_enough_to_know(tmp_path):
    (tmp_path / "extensions").mkdir()
    for n in range(50):
        os.mknod(tmp_path / "extensions" / f"{n:02}")
    assert find_extensions(tmp_path) == tuple(f"{n:02}" for n in range(11))


def test_the_variables_are_the_functions_without_its_runtimes():
    of_function = {
        "_HANDLER": "m.h", "LAMBDA_TASK_ROOT": "/var/task", "AWS_REGION": "r", "MINE": "1",
        "PYTHONPATH": "/mine", "NODE_PATH": "/x",
    }  # fmt: skip
    of_runtime = {"PYTHONPATH": "/var/runtime", "NODE_PATH": "/x"}
    users = {"MINE": "1", "PYTHONPATH": "/mine"}
    assert extension_variables(of_function, of_runtime=of_runtime, users=users) == {
        "AWS_REGION": "r",
        "MINE": "1",
        "PYTHONPATH": "/mine",
    }


@pytest.mark.parametrize(
    ("text", "message", "error_type"),
    [
        (
            "execute /opt/extensions/e: Permission denied",
            "fork/exec /opt/extensions/e: permission denied",
            "PermissionDenied",
        ),
        (
            "execute /opt/extensions/e: Exec format error",
            "fork/exec /opt/extensions/e: exec format error",
            "UnknownError",
        ),
        (
            "the sandbox is gone",
            "fork/exec /opt/extensions/e: the sandbox is gone",
            "UnknownError",
        ),
    ],
)
def test_a_launch_error_says_what_the_kernel_said(text, message, error_type):
    error = LaunchError("e", SandboxError(text))
    assert (str(error), error.error_type) == (message, error_type)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (ExitStatus(code=0), "exit code 0"),
        (ExitStatus(code=7), "exit status 7"),
        (ExitStatus(signal=9), "signal: killed"),
        (ExitStatus(signal=64), "signal: 64"),
    ],
)
def test_an_exit_has_its_words(status, text):
    assert describe_exit(status) == text


def test_a_wrapper_gets_the_command_line_of_a_managed_runtime_only():
    argv = ("/usr/bin/python3", "bootstrap.py")
    managed = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}
    wrapper = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}
    assert wrapped(argv, {**managed, **wrapper})[-2:] == argv
    assert wrapped(argv, {**managed, **wrapper})[0] == "/bin/sh"
    for variables in ({}, managed, wrapper, {**managed, "AWS_LAMBDA_EXEC_WRAPPER": ""}):
        assert wrapped(argv, variables) == argv

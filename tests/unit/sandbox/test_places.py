"""Where paths of the inside are for a process that has no root of its own."""

from __future__ import annotations

import pytest

from alonzo.sandbox.places import is_own, placed


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("/var/task", "/R/var/task"),
        ("/var/task/a.py", "/R/var/task/a.py"),
        ("/usr/bin:/opt/bin:/bin", "/usr/bin:/R/opt/bin:/bin"),
        ("-I/var/lang/lib/ruby", "-I/R/var/lang/lib/ruby"),
        ("--require=/opt/x", "--require=/R/opt/x"),
        ("/var/taskforce", "/var/taskforce"),
        ("/mnt/opt/x", "/mnt/opt/x"),
        ("/srv/var/task", "/srv/var/task"),
        ("https://host/tmp", "https://host/tmp"),
        ("", ""),
    ],
)
def test_own_paths_are_put_below_the_root_and_nothing_else(text, there):
    assert placed(text, "/R") == there
    assert placed(text, "") == text


def test_what_a_sandbox_has_of_its_own_is_known():
    assert is_own("/opt/extensions/x")
    assert not is_own("/usr/lib")
    assert not is_own("/optional")

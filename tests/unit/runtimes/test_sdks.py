import sys
from pathlib import Path

import pytest

from alonzo.runtimes.sdks import PYTHON_PACKAGES, admits, nodejs_sdk, python_sdk

OWN = f"3.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("requirement", "minors"),
    [
        (">=3.10", {10, 13}),
        (">= 3.9", {9, 10, 13}),
        (">=3.8,<3.13", {8, 9, 10}),
        ("!=3.0.*,!=3.1.*,!=3.2.*,>=2.7", {8, 9, 10, 13}),
        ("!=3.9.*, >=3.8.1", {8, 10, 13}),
        ("!=3.9.7", {8, 9, 10, 13}),
        (">=4.0", set()),
        ("~=3.8", set()),
        ("", {8, 9, 10, 13}),
    ],
)
def test_a_distribution_says_which_versions_of_python_it_admits(requirement, minors):
    assert {minor for minor in (8, 9, 10, 13) if admits(requirement, minor)} == minors


def test_boto3_of_the_daemon_is_shown_package_by_package():
    paths = python_sdk(OWN, ())
    packages = [path.target for path in paths if path.source.suffix != ".pyc"]
    assert packages == [f"/var/sdk/{n}" for n in PYTHON_PACKAGES.values()]
    assert all(path.source.exists() for path in paths)
    assert python_sdk("3.8", ()) == ()


def test_what_was_installed_for_a_version_goes_before_the_daemons(tmp_path):
    (tmp_path / "python-sdk/3.8/boto3").mkdir(parents=True)
    (path,) = python_sdk("3.8", (tmp_path,))
    assert (path.source, path.target) == (tmp_path / "python-sdk/3.8", "/var/sdk")
    assert python_sdk(OWN, (tmp_path,)) == python_sdk(OWN, ())


def test_the_javascript_sdk_is_shown_where_it_was_installed(tmp_path):
    assert nodejs_sdk(()) == nodejs_sdk((tmp_path,)) == ()
    modules = tmp_path / "nodejs-sdk/node_modules"
    (modules / "@aws-sdk").mkdir(parents=True)
    (path,) = nodejs_sdk((Path("/nowhere"), tmp_path))
    assert (path.source, path.target) == (modules, "/var/sdk/node_modules")

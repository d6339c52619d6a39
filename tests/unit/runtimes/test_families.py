from pathlib import Path

import pytest

from alonzo.runtimes.base import Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.interpreters import BOOTSTRAPS, Interpreter, SearchPlaces
from alonzo.runtimes.nodejs import NodejsFamily
from alonzo.runtimes.provided import ProvidedFamily
from alonzo.runtimes.python import PythonFamily
from alonzo.runtimes.registry import Runtimes, families

HERE = Path(__file__).parent


class OneInterpreter:
    """A host with exactly one installation."""

    def __init__(self, version: str, executable: str):
        self.version, self.found = (
            version,
            Interpreter(Path(executable), Path(executable).parents[1]),
        )

    def find(self, version: str) -> Interpreter | None:
        return self.found if version == self.version else None


def test_python_starts_with_the_bootstrap_under_the_prefix_at_awss_place():
    python = PythonFamily(OneInterpreter("3.12", "/opt/py/bin/python3.12"))
    launch = python.launch("python3.12", HERE)
    assert launch.argv == ("/var/lang/bin/python3.12", "-s", "/var/runtime/start.py")
    assert launch.link is Link.FRAMED
    assert launch.paths[:2] == (
        VisiblePath(Path("/opt/py"), "/var/lang"),
        VisiblePath(BOOTSTRAPS / "python", "/var/runtime"),
    )
    assert launch.environment["PYTHONPATH"] == "/var/runtime"
    assert launch.version_name == "python:3.12.v1"


def test_node_starts_with_the_bootstrap_and_its_layer_paths():
    node = NodejsFamily(OneInterpreter("22", "/usr/bin/node"))
    launch = node.launch("nodejs22.x", HERE)
    assert launch.argv[-2:] == ("/var/lang/bin/node", "/var/runtime/bootstrap.cjs")
    assert launch.parks_with == ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE",)
    assert launch.environment == {
        "NODE_PATH": "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:"
        "/var/runtime/node_modules:/var/runtime:/var/task"
    }
    assert launch.version_name == "nodejs:22.v1"


@pytest.mark.parametrize(
    ("family", "names", "must"),
    [
        (
            "python",
            {"TZ", "NODE_OPTIONS", "LANGCHAIN_API_KEY", "LD_SDK_KEY", "MY_LD_PRELOAD"},
            False,
        ),
        ("python", {"TZ", "LANG"}, True),
        ("python", {"PYTHONUNBUFFERED"}, True),
        ("nodejs", {"TZ", "NODE_ENV", "NODE_PATH", "NODE_TLS_REJECT_UNAUTHORIZED"}, False),
        ("nodejs", {"NODE_OPTIONS"}, True),
        ("nodejs", {"LD_PRELOAD"}, True),
    ],
)
def test_only_what_counts_at_the_start_keeps_a_function_from_a_parked_process(family, names, must):
    launch = {
        "python": lambda: PythonFamily(OneInterpreter("3.12", "/opt/py/bin/python3.12")).launch(
            "python3.12", HERE
        ),
        "nodejs": lambda: NodejsFamily(OneInterpreter("22", "/usr/bin/node")).launch(
            "nodejs22.x", HERE
        ),
    }[family]()
    assert launch.must_start_with(names) is must
    assert launch.parks


def test_what_the_host_lacks_is_named_with_the_fix():
    python = PythonFamily(OneInterpreter("3.12", "/opt/py/bin/python3.12"))
    with pytest.raises(
        RuntimeUnavailableError, match=r"needs Python 3\.13, which this host does not"
    ):
        python.launch("python3.13", HERE)
    with pytest.raises(RuntimeUnavailableError, match=r"too old to run here: use python3\.8 or"):
        python.launch("python2.7", HERE)
    node = NodejsFamily(OneInterpreter("22", "/usr/bin/node"))
    with pytest.raises(
        RuntimeUnavailableError, match=r"run `alonzo runtime install nodejs24\.x`, or"
    ):
        node.launch("nodejs24.x", HERE)
    with pytest.raises(RuntimeUnavailableError, match=r"or have that `node` on PATH\.$"):
        node.launch("nodejs18.x", HERE)
    with pytest.raises(RuntimeUnavailableError, match="too old to run here"):
        node.launch("nodejs", HERE)


def test_a_provided_function_starts_its_own_bootstrap_or_a_layers(tmp_path):
    provided = ProvidedFamily()
    assert provided.launch("provided.al2023", tmp_path).argv == ("/opt/bootstrap",)
    (tmp_path / "bootstrap").touch()
    launch = provided.launch("provided.al2023", tmp_path)
    assert (launch.argv, launch.link) == (("/var/task/bootstrap",), Link.HTTP)
    assert launch.version_name is None


@pytest.fixture
def runtimes():
    return Runtimes(families(SearchPlaces()))


def test_the_registry_knows_every_identifier_once(runtimes):
    assert len(runtimes.names) == len(set(runtimes.names)) > 40
    assert runtimes.identifier("python3.12").family == "python"
    assert runtimes.identifier("cobol74") is None


@pytest.mark.parametrize("name", ["ruby2.5", "dotnet8", "go1.x", "custom", "cobol74"])
def test_what_cannot_run_says_so_in_one_sentence(runtimes, name):
    reason = runtimes.unavailable(name)
    assert reason is not None
    assert reason.endswith(".")
    with pytest.raises(RuntimeUnavailableError):
        runtimes.launch(name, HERE)


def test_provided_is_available_on_every_host(runtimes):
    assert runtimes.unavailable("provided.al2023") is None

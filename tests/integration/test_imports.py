"""What is not in the memory of a platform that nobody has asked for it.

Modules are most of what a platform weighs; a convenient import somewhere brings a hundred of them.
"""

import json
import subprocess
import sys
from pathlib import Path

import alonzo
from alonzo.daemon.services import GROUPS

SOURCE = str(Path(alonzo.__file__).parents[1])

#: A platform that has started, and has not had a request.
STARTED = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
import alonzo.cli.main, alonzo.cli.serve
from pathlib import Path
from alonzo.daemon.config import Config
import alonzo.daemon.serve
from alonzo.daemon.wiring import Platform

async def start():
    async with Platform(Config(Path(sys.argv[2]), port=0, isolation="none")):
        print(json.dumps(sorted(sys.modules)))

asyncio.run(start())
"""
#: Clients of AWS, HTTP and mail; certificates; tools of those who look at programs.
NOT_YET = (
    *("boto3", "botocore.model", "botocore.utils", "botocore.session", "dateutil", "jmespath"),
    *("urllib3", "http.client", "urllib.request", "email.parser", "xml.etree", "xml.sax"),
    *("cryptography.x509", "cryptography.hazmat.primitives.asymmetric"),
    *("multiprocessing", "unittest", "alonzo.testing"),
    *("importlib.metadata", "importlib.resources", "csv", "zipfile"),
    *("alonzo.sandbox.backends.gvisor", "alonzo.services.iam.federation"),
)
#: Services that nobody has asked for, of a platform that has nothing of them: of each no more than
#: this, which functions need and which says what is not there.
OF_SERVICES = {
    "logs": "chunks errors limits records retention rules sink unsupported",
    "cloudwatch": "distributions embedded errors folding journal lambda_metrics limits metering "
    "points prometheus records retention series sink totals unsupported usage",
    "sns": "links unsupported",
}
#: Modules of ours; they were 812 when all services were there from the start, then 523.
OURS_MAX = 580

HELPER = """
import json, sys
sys.path.append(sys.argv[1])
import alonzo.sandbox.backends.namespaces.spawner
print(json.dumps(sorted(sys.modules)))
"""
ZYGOTE = """
import json, sys
sys.path.insert(0, sys.argv[1] + "/alonzo/sandbox/backends/namespaces")
import inside.maker
print(json.dumps(sorted(sys.modules)))
"""
#: What even the standard library has only for comfort.
NEVER_BELOW = (
    *("dataclasses", "typing", "inspect", "ast", "tokenize"),
    *("subprocess", "platform", "shutil", "asyncio", "logging"),
)


def modules(program: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    done = subprocess.run(
        [sys.executable, *options, "-c", program, SOURCE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def below(names: tuple[str, ...], found: list[str]) -> list[str]:
    return [one for one in found if one in names or one.startswith(tuple(f"{n}." for n in names))]


def test_a_platform_that_has_started_has_imported_what_functions_need(tmp_path):
    found = modules(STARTED, str(tmp_path / "data"))
    assert "alonzo.services.iam.api" in found
    assert not below(NOT_YET, found)
    for service in GROUPS:
        name = f"alonzo.services.{service}"
        allowed = OF_SERVICES.get(service, "unsupported").split()
        there = tuple(f"{name}.{each}" for each in allowed)
        assert not set(below((name,), found)) - {name, *below(there, found)}
    assert len(below(("alonzo",), found)) <= OURS_MAX


def test_the_helper_of_sandboxes_has_imported_little():
    found = modules(HELPER, options=("-I", "-S"))
    assert "alonzo.sandbox.backends.namespaces.inside.maker" in found
    assert not below(NEVER_BELOW, found)


def test_zygotes_get_little_from_us():
    found = modules(ZYGOTE, options=("-I", "-S"))
    assert "inside.launch" in found
    assert not below(NEVER_BELOW, found)

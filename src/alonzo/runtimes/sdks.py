"""AWS's SDKs, which a runtime shows to functions that do not bring their own.

Python: boto3 and what it needs, at ``/var/sdk``, behind the function's code and its layers. Either
``alonzo runtime install python-sdk`` put them into a folder for each version of Python, or they are
those of the environment that the daemon runs in, each shown by itself, so that nothing else that is
installed there can be seen.

Node.js: ``@aws-sdk`` at ``/var/sdk/node_modules``, from ``alonzo runtime install nodejs-sdk``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from alonzo.runtimes.base import VisiblePath
from alonzo.runtimes.interpreters import readable

#: Where the packages are inside. AWS has them beside its bootstrap or its interpreter.
PYTHON_TARGET = "/var/sdk"
NODEJS_TARGET = "/var/sdk/node_modules"

#: Folders in one of ``SearchPlaces.extra``. That of Python has one more for each version: ``3.12``.
PYTHON_FOLDER = "python-sdk"
NODEJS_FOLDER = "nodejs-sdk"

#: Distribution -> what a program imports. AWS's runtimes have these, and no other.
PYTHON_PACKAGES = {
    "boto3": "boto3",
    "botocore": "botocore",
    "s3transfer": "s3transfer",
    "jmespath": "jmespath",
    "python-dateutil": "dateutil",
    "six": "six.py",
    "urllib3": "urllib3",
}

#: What ``nodejs-sdk`` holds: a client for every service that the platform serves, and those that
#: functions use most. What they need comes along, ``@smithy/*`` among it.
NODEJS_PACKAGES = (
    *(
        f"@aws-sdk/client-{name}"
        for name in (
            "api-gateway",
            "apigatewaymanagementapi",
            "bedrock-runtime",
            "cloudwatch",
            "cloudwatch-logs",
            "cognito-identity-provider",
            "dynamodb",
            "dynamodb-streams",
            "ec2",
            "ecs",
            "eventbridge",
            "firehose",
            "iam",
            "kinesis",
            "kms",
            "lambda",
            "rds-data",
            "s3",
            "scheduler",
            "secrets-manager",
            "ses",
            "sesv2",
            "sfn",
            "sns",
            "sqs",
            "ssm",
            "sts",
        )
    ),
    "@aws-sdk/credential-providers",
    "@aws-sdk/lib-dynamodb",
    "@aws-sdk/lib-storage",
    "@aws-sdk/s3-presigned-post",
    "@aws-sdk/s3-request-presigner",
    "@aws-sdk/util-dynamodb",
)

_CLAUSE = re.compile(r"(>=|<|!=)\s*(\d+)\.(\d+)(?:\.\d+)*(\.\*)?")


def nodejs_sdk(extra: Iterable[Path]) -> tuple[VisiblePath, ...]:
    """What shows the SDK for JavaScript; empty: it is not installed."""
    for each in extra:
        folder = each / NODEJS_FOLDER / "node_modules"
        if _usable(folder / "@aws-sdk"):
            return (VisiblePath(folder, NODEJS_TARGET),)
    return ()


def python_sdk(version: str, extra: Iterable[Path]) -> tuple[VisiblePath, ...]:
    """What shows boto3 to a function on Python ``version`` (``3.12``); empty: there is none."""
    for each in extra:
        folder = each / PYTHON_FOLDER / version
        if _usable(folder / "boto3"):
            return (VisiblePath(folder, PYTHON_TARGET),)
    return _beside_us(version)


@functools.cache
def _beside_us(version: str) -> tuple[VisiblePath, ...]:
    """The packages that the daemon itself could import; all of them, or none."""
    minor = int(version.removeprefix("3."))
    paths: list[VisiblePath] = []
    for distribution, name in PYTHON_PACKAGES.items():
        spec = find_spec(name.removesuffix(".py"))
        if spec is None or spec.origin is None:
            return ()
        module = Path(spec.origin)
        folder = module.parent if module.name == name else module.parents[1]
        source = folder / name
        if not admits(_requirement(folder, distribution), minor) or not _usable(source):
            return ()
        paths.append(VisiblePath(source, f"{PYTHON_TARGET}/{name}"))
        # A folder shows its bytecode too; a file alone would be compiled in each environment.
        bytecode = f"__pycache__/{source.stem}.cpython-3{minor}.pyc"
        if source.is_file() and _usable(source.parent / bytecode):
            paths.append(VisiblePath(source.parent / bytecode, f"{PYTHON_TARGET}/{bytecode}"))
    return tuple(paths)


def _requirement(folder: Path, distribution: str) -> str:
    """The ``Requires-Python`` of what is installed in a folder; empty where it says nothing.

    ``importlib.metadata`` would tell as well, for 0.6 MiB.
    """
    name = distribution.replace("-", "_")
    for file in folder.glob(f"{name}-*.dist-info/METADATA"):
        head = file.read_text("utf-8").partition("\n\n")[0]
        found = re.search(r"^Requires-Python:(.*)$", head, re.MULTILINE)
        return "" if found is None else found[1].strip()
    return ""


def admits(requirement: str, minor: int) -> bool:
    """Whether a ``Requires-Python`` lets Python 3.``minor`` in; what we cannot read does not.

    Source: PEP 440, version specifiers; patch releases are left aside.
    """
    for clause in filter(None, map(str.strip, requirement.split(","))):
        read = _CLAUSE.fullmatch(clause)
        if read is None:
            return False
        bound = int(read[2]), int(read[3])
        holds = {
            ">=": (3, minor) >= bound,
            "<": (3, minor) < bound,
            "!=": (3, minor) != bound or not read[4],
        }
        if not holds[read[1]]:
            return False
    return True


def _usable(path: Path) -> bool:
    return path.exists() and readable(path)

"""Writes ``docs/operations.md``: every operation of every service, and where it is answered.

python tools/operations.py            write the page
python tools/operations.py --check    fail if the page is not what it would write
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session

from alonzo.control.functions import OPERATIONS
from alonzo.control.unsupported import INVOKE_OPERATIONS
from alonzo.daemon import catalog

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"

HEAD = """# Operations

Made by `tools/operations.py` from the code and from the service models; a test compares the two.
An operation that is not here yet is refused with a text that says so; nothing pretends to work.
Paths of files are below `src/alonzo/`.
"""


def render() -> str:
    """The page."""
    session = botocore.session.Session()
    parts = [HEAD]
    for service in catalog.SERVICES:
        model = session.get_service_model(service.name)
        answered = _files() if service.name == "lambda" else {}
        rows = list(_rows(model, service.unsupported, answered, f"services/{service.name}/"))
        done = len(rows) - sum(row.endswith(". |") for row in rows)
        parts.append(
            f"## {service.name}\n\n{done} of {len(rows)} operations.\n\n"
            "| Operation | Request | Answered in, or why not |\n|---|---|---|\n" + "\n".join(rows)
        )
    return "\n".join(parts[:1]) + "\n" + "\n\n".join(parts[1:]) + "\n"


def _rows(
    model: Any, unsupported: Mapping[str, str], files: Mapping[str, str], default: str
) -> Iterator[str]:
    for name in sorted(model.operation_names):
        http = model.operation_model(name).http
        request = f"`{http['method']} {http['requestUri']}`"
        where = unsupported.get(name) or f"`{files.get(name, default)}`"
        yield f"| {name} | {request} | {where} |"


def _files() -> dict[str, str]:
    """The file of each of Lambda's operations."""
    files = {
        name: operation.__module__.removeprefix("alonzo.").replace(".", "/") + ".py"
        for name, operation in OPERATIONS.items()
    }
    return dict.fromkeys(INVOKE_OPERATIONS, "invoke/api.py") | files


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in arguments:
        return 0 if PAGE.read_text("utf-8") == page else 1
    PAGE.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

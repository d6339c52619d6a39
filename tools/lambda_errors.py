"""Writes ``docs/lambda-errors.md``: which error of which Lambda operation is shown by which test.

python tools/lambda_errors.py            write the page
python tools/lambda_errors.py --check    fail if the page is not what it would write
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import botocore.session

from alonzo.control.functions import OPERATIONS
from alonzo.control.unsupported import INVOKE_OPERATIONS
from alonzo.testing.lambda_errors import ERRORS
from alonzo.testing.lambda_errors.apart import ELSEWHERE, accounted

PAGE = Path(__file__).parent.parent / "docs" / "lambda-errors.md"
TESTS = "tests/conformance/test_lambda_errors.py"

HEAD = f"""# Errors of Lambda's operations

Made by `tools/lambda_errors.py` from the rows that `{TESTS}` makes happen
on a running platform; a test compares this page, the rows and the service model. The status of each
error and the spelling of `message` or `Message` are the model's, and are tested with each row.

That each operation also succeeds is shown by `tests/conformance/test_aws_cli_operations.py`, which
runs an example of each, and that what it sets reads back by `tests/conformance/test_read_back.py`.

Beside these, every operation refuses what its constraints forbid (`ValidationException`:
`tests/conformance/test_boundaries.py`, `test_boundaries_nested.py`), a body of the wrong types
(`SerializationException`), and names of other accounts
(`AccessDeniedException`: `tests/integration/test_control_addressing.py`).
"""


def pairs() -> Iterator[tuple[str, str]]:
    """Every operation that there is, with each error that the service model has of it."""
    model = botocore.session.Session().get_service_model("lambda")
    for operation in sorted({*OPERATIONS, *INVOKE_OPERATIONS}):
        for shape in model.operation_model(operation).error_shapes:
            yield operation, shape.name.removesuffix("Exception")


def render() -> str:
    """The page."""
    shown: list[str] = []
    never: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for operation, error in pairs():
        rows = [row for row in ERRORS.get(operation, ()) if row.error == error]
        shown += [f"| {operation} | {error} | {_cell(row.text)} |" for row in rows]
        test = ELSEWHERE.get((operation, error))
        if test is not None:
            shown.append(f"| {operation} | {error} | `{test}` |")
        elif not rows and ("", error) not in ELSEWHERE:
            never[error, accounted(operation, error) or ""].append(operation)
    return "\n".join(
        [
            HEAD,
            "## Shown",
            "",
            f"ServiceException of every operation: `{ELSEWHERE['', 'Service']}`.",
            "",
            "| Operation | Error | Text, or the test elsewhere |",
            "|---|---|---|",
            *shown,
            "",
            "## Cannot happen here",
            "",
            "| Error | Why | Operations |",
            "|---|---|---|",
            *(
                f"| {error} | {reason} | {_operations(operations)} |"
                for (error, reason), operations in sorted(never.items())
            ),
            "",
        ]
    )


def _cell(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _operations(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 20 else f"all of {len(names)} that document it"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in arguments:
        return 0 if PAGE.read_text("utf-8") == page else 1
    PAGE.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

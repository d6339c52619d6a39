"""Which error of which Lambda operation is shown by what: one row for each that can be had.

``tests/conformance/test_lambda_errors.py`` makes each of ``ERRORS`` happen on a running platform,
and compares the list with the service model; ``tools/lambda_errors.py`` writes it down.

The world of the rows, all in ``REGION``:

| What | Is |
|---|---|
| ``errors`` | a function with the versions 1 and 2, a policy with ``s``, and a URL |
| ``prod`` | its alias of version 1, with provisioned concurrency |
| ``other`` | a function that has nothing beside |
| ``broken`` | a function whose creation failed |
| ``strict`` | a function whose code signing configuration enforces signatures: ``@enforce@`` |
| ``idle`` | a function with no concurrency |
| layer ``errors`` | one version, whose policy has ``s`` |
| layer ``bare`` | one version without a policy |
| ``@uuid@`` | the event source mapping of ``errors`` and ``QUEUE`` |

Texts are whole, or what an error begins with where they end with an ellipsis.
"""

from __future__ import annotations

from collections.abc import Mapping

from alonzo.testing.lambda_errors import beside, callers, whole
from alonzo.testing.lambda_errors.rows import Row

ERRORS: Mapping[str, tuple[Row, ...]] = {**whole.ERRORS, **beside.ERRORS, **callers.ERRORS}

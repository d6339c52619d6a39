"""The page of Lambda's errors is what the rows say, and the tests that it names exist."""

import runpy

from alonzo.testing.lambda_errors.apart import ELSEWHERE


def test_the_page_of_errors_is_up_to_date(root, files):
    rendered = runpy.run_path(str(root / "tools/lambda_errors.py"))["render"]()
    assert files.get("docs/lambda-errors.md") == rendered, "run: python tools/lambda_errors.py"


def test_every_test_that_shows_an_error_exists(files):
    for test in ELSEWHERE.values():
        path, _, name = test.partition("::")
        assert f"def {name}(" in files.get(path, ""), test

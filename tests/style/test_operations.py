"""The page of operations is what the code and the service models say."""

import runpy


def test_the_page_of_operations_is_up_to_date(root, files):
    rendered = runpy.run_path(str(root / "tools/operations.py"))["render"]()
    assert files.get("docs/operations.md") == rendered, "run: python tools/operations.py"


def test_every_one_of_lambda_s_operations_is_in_it(files):
    part = files["docs/operations.md"].split("## lambda\n")[1].split("\n## ")[0]
    assert sum(line.startswith("| ") for line in part.splitlines()) - 1 == 91

"""Rules about files that no linter knows."""

import re
from pathlib import PurePath

#: Files past 500 lines, each with the reason why it is one file. Past 900 there is no reason.
LONG_FILES = {
    "src/alonzo/lib/zips.py": "one archive format: reading and judging it share its records",
    "tests/integration/test_edge_server.py": "a test for each rule of the listener",
}
LINES_MAX = 500
LINES_MAX_WITH_REASON = 900

NAMES_THAT_SAY_NOTHING = {"utils", "helpers", "common", "manager"}

#: Paths of somebody's machine and hosts of package registries. This file may name them.
FOREIGN = re.compile(
    r"/(?:root|work|Users|opt/wheels)/|/home/(?!sbx_user|app\b)\w"
    r"|pypi\.org|pythonhosted|registry\.npmjs|npmjs\.org|deb\.debian\.org|\.pyenv/versions/"
)
ALLOWED_FOREIGN = {"tests/style/test_files.py"}

#: A mark of unfinished work is accepted with its issue's number and what happens until then.
MARK = re.compile(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\): \w)")


def test_no_file_is_too_long_to_read(python_files):
    too_long = {
        name: lines
        for name, text in python_files.items()
        if (lines := text.count("\n"))
        > (LINES_MAX_WITH_REASON if name in LONG_FILES else LINES_MAX)
    }
    assert not too_long, "split them, or give a reason in LONG_FILES"


def test_every_reason_for_a_long_file_is_still_needed(python_files):
    needless = [name for name in LONG_FILES if python_files[name].count("\n") <= LINES_MAX]
    assert not needless


def test_no_file_has_a_name_that_says_nothing(python_files):
    assert not [name for name in python_files if PurePath(name).stem in NAMES_THAT_SAY_NOTHING]


def test_no_file_names_a_machine_or_a_registry(files):
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in files.items()
        if name not in ALLOWED_FOREIGN
        for number, line in enumerate(text.splitlines(), start=1)
        if FOREIGN.search(line)
    ]
    assert not found


def test_every_mark_of_unfinished_work_has_an_issue(files):
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in files.items()
        if not name.endswith((".lock", ".json")) and name != "tests/style/test_files.py"
        for number, line in enumerate(text.splitlines(), start=1)
        if MARK.search(line)
    ]
    assert not found


def test_every_exemption_from_a_rule_gives_its_reason(python_files):
    exemption = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)(?P<rest>.*)")
    found = []
    for name, text in python_files.items():
        if name == "tests/style/test_files.py":
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            match = exemption.search(line)
            # The rules in brackets or after a colon, then words.
            if match and not re.match(r"(?:\[[\w, -]+\]|: ?[A-Z0-9, ]+).*[a-z]{3}", match["rest"]):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert not found


def test_migrations_are_numbered_without_gaps_and_say_when_they_run(root):
    folder = root / "src/alonzo/store/migrations"
    names = sorted(path.name for path in folder.glob("*.sql"))
    assert names
    for number, name in enumerate(names, start=1):
        assert re.fullmatch(rf"{number:04d}_(pre|post)_[a-z0-9_]+\.sql", name), name


def test_every_folder_of_the_package_says_what_lives_there(root):
    folders = {path.parent for path in (root / "src/alonzo").rglob("*.py")}
    silent = [
        str(folder.relative_to(root))
        for folder in folders
        if "bootstraps" not in folder.parts and not (folder / "__init__.py").is_file()
    ]
    assert not silent

"""Documents are checked too: commands, targets and links in them exist, and none is left out."""

import re

import pytest

from alonzo.cli.main import COMMANDS

DOCS_OF_COMMANDS = ("README.md", "docs/cli.md")


@pytest.fixture(scope="module")
def makefile(files):
    return set(re.findall(r"^([a-z][a-z-]*):", files["Makefile"], re.MULTILINE))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(files, command):
    texts = [files[name] for name in DOCS_OF_COMMANDS if name in files]
    assert any(f"alonzo {command}" in text for text in texts)


def test_every_command_in_a_document_exists(files):
    unknown = [
        f"{name}: alonzo {word}"
        for name, text in files.items()
        if name.endswith(".md") and not name.startswith("docs/decisions/")
        for word in re.findall(r"(?:`|^|\$\(|&& )alonzo ([a-z]+)\b", text, re.MULTILINE)
        if word not in COMMANDS
    ]
    assert not unknown


def test_every_make_target_in_a_document_exists(files, makefile):
    unknown = [
        f"{name}: make {word}"
        for name, text in files.items()
        if name.endswith(".md")
        for word in re.findall(r"(?:`|^|&& )make ([a-z-]+)\b", text, re.MULTILINE)
        if word not in makefile
    ]
    assert not unknown


def test_the_readme_gives_the_two_commands(files):
    assert "make quickstart" in files["README.md"]
    assert "make test" in files["README.md"]


def test_every_relative_link_in_a_document_leads_somewhere(root, files):
    broken = [
        f"{name}: {target}"
        for name, text in files.items()
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        if "://" not in target and not ((root / name).parent / target).exists()
    ]
    assert not broken

"""What the style tests look at: the files that the repository holds."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TEXT = {".py", ".md", ".toml", ".sql", ".lock", ".sh", ".mjs", ".js", ".json", ".txt", ""}


def listed():
    """Tracked files and new ones; in an unpacked archive, which has no git, what is there."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        return output.stdout.split("\0")[:-1]
    folders = ("src", "tests", "tools", "examples", "docs", "requirements", ".ci")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    found += ROOT.glob("*")
    return [str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def files():
    """Every text file of the repository: relative path -> content."""
    paths = {name: ROOT / name for name in listed()}
    return {
        name: path.read_text(errors="replace")
        for name, path in paths.items()
        if path.is_file() and path.suffix in TEXT
    }


@pytest.fixture(scope="session")
def python_files(files):
    return {name: text for name, text in files.items() if name.endswith(".py")}

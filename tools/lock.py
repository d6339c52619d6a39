"""Write requirements/*.lock from pyproject.toml: ``make lock``.

``run.lock`` is the package's own dependencies, ``quickstart.lock`` adds what ``make quickstart``
needs, ``dev.lock`` what people and CI need. Every file is pinned and hashed, names no host, and
holds for every Python that the package supports.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: Lock file -> the dependency groups it holds beside the package's own dependencies.
LOCKS = {"run": (), "quickstart": ("quickstart",), "dev": ("dev",)}

COMPILE = (
    *(sys.executable, "-m", "piptools", "compile", "--quiet", "--no-header", "--no-annotate"),
    *("--generate-hashes", "--allow-unsafe", "--strip-extras"),
    # The lock must say what, never where from.
    *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host", "--no-emit-options"),
)


def group(groups: dict, name: str) -> list[str]:
    """The requirements of a dependency group, those of included groups too (PEP 735)."""
    found = []
    for entry in groups[name]:
        found += group(groups, entry["include-group"]) if isinstance(entry, dict) else [entry]
    return found


def requirements(project: dict, groups: tuple[str, ...]) -> list[str]:
    """What one lock file has to satisfy."""
    found = list(project["project"]["dependencies"])
    for name in groups:
        found += group(project["dependency-groups"], name)
    return sorted(found)


def main() -> None:
    """Compile each lock; dev first, and the smaller ones held to its versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("dev", "quickstart", "run"):
            wanted = Path(scratch, f"{name}.in")
            wanted.write_text("\n".join(requirements(project, LOCKS[name])) + "\n")
            options = ["--constraint", "requirements/dev.lock"] if name != "dev" else []
            subprocess.run(
                [
                    *COMPILE,
                    *sys.argv[1:],
                    *options,
                    f"--output-file=requirements/{name}.lock",
                    wanted,
                ],
                cwd=ROOT,
                check=True,
            )


if __name__ == "__main__":
    main()

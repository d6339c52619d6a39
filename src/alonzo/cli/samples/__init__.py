"""A sample event of every source that calls functions, a file each, with all the fields there are.

Names, nesting, types and fixed texts are those of AWS; values are made up.

Source: Lambda developer guide, a page for each service; payloads that AWS publishes with its own
libraries of events.
"""

from __future__ import annotations

from importlib.resources import files

_ENDING = ".json"
_FILES = files("alonzo.cli.samples")


def names() -> list[str]:
    """The sources, sorted."""
    found = (entry.name for entry in _FILES.iterdir())
    return sorted(name.removesuffix(_ENDING) for name in found if name.endswith(_ENDING))


def sample(name: str) -> str:
    """The sample event of a source, as JSON.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in names():
        raise KeyError(name)
    return _FILES.joinpath(name + _ENDING).read_text("utf-8")

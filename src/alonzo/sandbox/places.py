"""Where paths of the inside are for a process that has no root of its own. Pure.

Such a process finds ``/var/task`` at ``ROOT/var/task``, if ``ROOT`` is its sandbox's ``root``.
"""

from __future__ import annotations

import re

#: What a sandbox has of its own; everything else is where it is on the host.
OWN = ("/opt", "/tmp", "/var/lang", "/var/runtime", "/var/sdk", "/var/task")  # noqa: S108 - inside

#: One of them where a path begins: at the beginning of the text, of an entry of a list, or behind
#: an option of one letter (``-I/opt/ruby/lib``).
_PLACE = re.compile(rf"(^|(?<=[:=,])|(?<=^-[A-Za-z]))({'|'.join(map(re.escape, OWN))})(?=[/:,]|$)")


def placed(text: str, root: str) -> str:
    """The text with every path of the inside in it put below ``root``; the text itself for none."""
    if not root:
        return text
    return _PLACE.sub(lambda match: root + match[0], text)


def is_own(path: str) -> bool:
    """Whether a path of the inside is one that a sandbox has of its own."""
    return _PLACE.match(path) is not None

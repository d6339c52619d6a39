"""Chance as a value that is handed in, so that a test can make it predictable."""

from __future__ import annotations

import random
from collections.abc import Callable

#: Answers a number from 0 up to, and without, 1; each as likely as any other.
Chance = Callable[[], float]


def system_chance() -> Chance:
    """A source seeded by the kernel. Fast, and not for secrets."""
    return random.Random().random  # noqa: S311 - as the docstring says

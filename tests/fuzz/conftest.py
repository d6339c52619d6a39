"""How a target is fed: Hypothesis draws the seeds, a seed makes the input, ``Bounds`` watches."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from alonzo.testing.fuzzing import Bounds, inputs_wanted, seed_wanted

#: Inputs of one example; drawing an example costs more than most inputs do.
BATCH = 20

Fuzz = Callable[..., None]


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Fuzz:
    """``fuzz(step)`` gives ``step`` one ``Random`` after another; each makes one input of it."""

    def feed(
        step: Callable[[Random], object], *, pid: int | str = "self", share: float = 1.0
    ) -> None:
        """``share``: of the inputs that others get, where each takes long."""
        bounds = Bounds(pid=pid)

        @seed(seed_wanted())
        @settings(
            max_examples=max(1, int(inputs_wanted(2 * BATCH) * share) // BATCH),
            deadline=None,
            database=None,
            derandomize=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.randoms(use_true_random=True))
        def go(pick: Random) -> None:
            for _ in range(BATCH):
                number = pick.getrandbits(64)
                note(f"Random({number})")
                bounds.take(lambda number=number: step(Random(number)))

        try:
            go()
        finally:
            figures = (
                f"{bounds.n} inputs, {bounds.spent_s:.0f} s, "
                f"slowest {bounds.slowest_s * 1000:.0f} ms"
            )
            request.node.user_properties.append(("figures", figures))

    return feed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, figures in getattr(report, "user_properties", ()):
                if name == "figures" and getattr(report, "when", "") == "call":
                    terminalreporter.write_line(f"{report.nodeid}: {figures}")


@pytest.fixture(autouse=True)
def _clean_slate() -> None:
    """In place of the one above: here it is the bounds that look for what is left behind."""

"""When the actions of a composite alarm wait, and until when. Pure.

    state changes ──▶ WaitPeriod ──suppressor goes off──▶ Alarm ──it calms down──▶ ExtensionPeriod
                          └───── time is up: actions of the state as it is then ◀─────┘

* A change while the suppressor is in ALARM waits for it, and any other begins with a wait.
* A change of state in either period begins a new wait.
* Actions wait because of a change. Where none has come, the end of a period does nothing.
* A period of 0 seconds is none.

Source: CloudWatch user guide, suppressing composite alarm actions, with its six examples in
``tests/unit/services/test_composite_alarms.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alonzo.services.cloudwatch.alarms.evaluation import State


class By(StrEnum):
    """What keeps actions back, as the API calls it."""

    WAIT = "WaitPeriod"
    EXTENSION = "ExtensionPeriod"
    ALARM = "Alarm"


@dataclass(frozen=True, slots=True)
class Suppressor:
    """The settings: which alarm, and for how many seconds it is waited for. ``alarm`` is a name."""

    alarm: str
    wait_s: int
    extension_s: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Actions are kept back. ``until_s``: epoch seconds, None with ``By.ALARM``.

    ``left`` is the state before the change whose actions wait, None where none do.
    """

    by: By
    until_s: float | None
    left: State | None

    @property
    def reason(self) -> str:
        """A sentence for people."""
        return f"Actions suppressed by {self.by}"

    def encode(self) -> dict[str, Any]:
        """As the store has it."""
        return {"by": self.by, "until_s": self.until_s, "left": self.left}


def hold_from(document: Mapping[str, Any]) -> Hold:
    """A hold from its document."""
    left = document["left"]
    return Hold(By(document["by"]), document["until_s"], None if left is None else State(left))


def after_change(
    suppressor: Suppressor | None, *, suppressing: bool, left: State, now_s: float
) -> Hold | None:
    """The alarm left a state. None: its actions follow at once.

    ``suppressing``: the suppressor is in ALARM.
    """
    if suppressor is None:
        return None
    if suppressing:
        return Hold(By.ALARM, None, left)
    return Hold(By.WAIT, now_s + suppressor.wait_s, left) if suppressor.wait_s else None


def after_suppressor(
    hold: Hold | None, suppressor: Suppressor, *, suppressing: bool, now_s: float
) -> Hold | None:
    """The suppressor has changed, or became another. None: nothing is kept back any longer."""
    left = None if hold is None else hold.left
    if suppressing:
        return Hold(By.ALARM, None, left)
    if hold is None or hold.by is not By.ALARM:
        return hold
    if not suppressor.extension_s:
        return None
    return Hold(By.EXTENSION, now_s + suppressor.extension_s, left)

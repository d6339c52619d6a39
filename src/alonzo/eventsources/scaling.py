"""How many batches of one mapping may be under way. Pure: the caller has the clock.

* Five at first. While the source has more than is read, 300 more a minute, up to 1,250. With
  provisioned pollers, ten for each: from the least of them, 1,000 more a minute, up to the most.
* MaximumConcurrency bounds it, and so does what the function has reserved: more would only be
  throttled.
* A throttled call halves it, a function's error takes a tenth away; it grows again from there. It
  is one at least.
* A source that is empty takes it back to where it began.

Source: Lambda developer guide, "Configuring scaling behavior for SQS event source mappings" and
"Backoff strategy for failed invocations", which gives no figures for backing off: these are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from alonzo.eventsources.settings import Settings

_START, _MAX, _PER_S = 5, 1250, 300 / 60
_OF_POLLER, _PROVISIONED_PER_S = 10, 1000 / 60
_AFTER_THROTTLE, _AFTER_ERROR = 0.5, 0.9


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which numbers, and how fast."""

    start: int
    most: int
    per_s: float


def bounds_of(settings: Settings, reserved: int | None) -> Bounds:
    """The bounds of a mapping whose function has so much concurrency reserved, or None."""
    start, most, per_s = _START, _MAX, _PER_S
    if settings.pollers is not None:
        start, most = (_OF_POLLER * pollers for pollers in settings.pollers)
        per_s = _PROVISIONED_PER_S
    for limit in (settings.concurrency_max, reserved):
        if limit is not None:
            most = min(most, max(limit, 1))
    return Bounds(min(start, most), most, per_s)


class Scaling:
    """The number of one mapping."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._level = float(bounds.start)

    def set_bounds(self, bounds: Bounds) -> None:
        """Go on between other bounds."""
        if bounds != self._bounds:
            self._bounds = bounds
            self._level = min(max(self._level, float(bounds.start)), float(bounds.most))

    def allowed(self) -> int:
        """How many batches may be under way."""
        return int(self._level)

    def waited(self, seconds: float) -> None:
        """For so long there was more to read, and all that is allowed was under way."""
        self._level = min(self._level + seconds * self._bounds.per_s, float(self._bounds.most))

    def saw_end(self) -> None:
        """The source is empty."""
        self._level = float(self._bounds.start)

    def throttled(self) -> None:
        """A call found no concurrency."""
        self._level = max(1.0, self._level * _AFTER_THROTTLE)

    def failed(self) -> None:
        """The function raised."""
        self._level = max(1.0, self._level * _AFTER_ERROR)

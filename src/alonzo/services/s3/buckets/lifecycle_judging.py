"""Which versions a lifecycle configuration ends, and which uploads. Pure.

Versions come in the order of lists: by key, the newest first. So what is newer than a version has
come before it; and whether a delete marker is alone shows when the next key begins.

Source: S3 user guide, lifecycle configuration elements.
"""

from __future__ import annotations

from collections.abc import Sequence

from alonzo.services.s3.buckets.lifecycle_rules import Rule, expires_at_s, midnight_after
from alonzo.services.s3.records import ObjectVersion


class Judge:
    """Looks at one version after the other, as of one moment."""

    def __init__(self, rules: Sequence[Rule], now_s: float) -> None:
        self._rules = rules
        self._now_s = now_s
        self._newer: ObjectVersion | None = None
        self._noncurrent = 0
        self._lone: ObjectVersion | None = None

    def look(self, version: ObjectVersion) -> list[ObjectVersion]:
        """What is to end, now that this one is known: it, or the marker before it, or nothing."""
        ended: list[ObjectVersion] = []
        if self._newer is None or self._newer.key != version.key:
            ended = self.finish()
            self._noncurrent = 0
            if version.is_delete_marker:
                self._lone = version
            elif self._is_over(version):
                ended.append(version)
        else:
            self._lone = None
            if self._is_past(version, self._newer):
                ended.append(version)
            self._noncurrent += 1
        self._newer = version
        return ended

    def finish(self) -> list[ObjectVersion]:
        """What is to end, now that no more versions of the last key come."""
        marker, self._lone = self._lone, None
        return [marker] if marker is not None and self._is_useless(marker) else []

    def _is_over(self, version: ObjectVersion) -> bool:
        """Whether a current version has lived for long enough."""
        return any(
            rule.filter.takes(version) and self._has_come(expires_at_s(rule, version.modified_at_s))
            for rule in self._rules
        )

    def _is_past(self, version: ObjectVersion, newer: ObjectVersion) -> bool:
        """Whether a version was replaced for long enough, and by enough others."""
        return any(
            rule.noncurrent_days is not None
            and self._noncurrent >= rule.newer_kept
            and rule.filter.takes(version)
            and self._has_come(midnight_after(newer.modified_at_s, rule.noncurrent_days))
            for rule in self._rules
        )

    def _is_useless(self, marker: ObjectVersion) -> bool:
        """Whether a marker without versions goes: as such, or as old as an object may become."""
        return any(
            rule.filter.takes(marker)
            and (rule.lone_markers or self._has_come(expires_at_s(rule, marker.modified_at_s)))
            for rule in self._rules
        )

    def _has_come(self, at_s: float | None) -> bool:
        return at_s is not None and at_s <= self._now_s


def is_abandoned(rules: Sequence[Rule], key: str, started_at_s: float, now_s: float) -> bool:
    """Whether an upload in parts was not completed for too long."""
    return any(
        rule.abort_days is not None
        and key.startswith(rule.filter.prefix)
        and midnight_after(started_at_s, rule.abort_days) <= now_s
        for rule in rules
    )

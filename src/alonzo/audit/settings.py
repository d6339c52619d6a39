"""How much of an audit log is kept, and how much may be lost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Sizes and times of the audit log.

    A file is closed when it has ``file_bytes_max`` bytes or is ``file_age_s_max`` seconds old, and
    packed then. Closed files go when they are ``keep_days`` days old, or when all together have
    more than ``bytes_max`` bytes, oldest first. ``queue_bytes_max``: what waits in memory while
    the disk takes nothing. ``refusals_per_minute``: failed authentications that have a record each.
    """

    file_bytes_max: int = 64 * 1024 * 1024
    file_age_s_max: float = 86_400.0
    keep_days: float = 90.0
    bytes_max: int = 1024 * 1024 * 1024
    queue_bytes_max: int = 32 * 1024 * 1024
    refusals_per_minute: int = 60

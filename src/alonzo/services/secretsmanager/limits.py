"""Quotas of Secrets Manager. Source: Secrets Manager user guide, quotas; API reference."""

from __future__ import annotations

DAY_S = 86_400

SECRETS_MAX = 500_000
#: A value, in UTF-8 if it is a text.
VALUE_BYTES_MAX = 65_536
#: Versions kept that no staging label names.
DEPRECATED_MAX = 100
STAGES_PER_VERSION_MAX = 20
TAGS_MAX = 50

RECOVERY_DAYS_DEFAULT = 30
RECOVERY_DAYS_MIN = 7
RECOVERY_DAYS_MAX = 30

PAGE = 100
BATCH_PAGE = 20

PASSWORD_LENGTH_DEFAULT = 32

#: Rotations less than this apart are refused.
ROTATION_S_MIN = 4 * 3600
#: Tries of one rotation, and the pause before each further one.
ROTATION_ATTEMPTS_MAX = 5
ROTATION_RETRY_S = 60.0

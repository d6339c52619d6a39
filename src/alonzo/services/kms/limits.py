"""Quotas of AWS KMS. Source: KMS developer guide, resource quotas; API reference."""

from __future__ import annotations

DAY_S = 86_400

#: Customer managed keys of an account in a region, and aliases of all kinds.
KEYS_MAX = 100_000
ALIASES_PER_KEY_MAX = 50
GRANTS_PER_KEY_MAX = 50_000
TAGS_MAX = 50
POLICY_BYTES_MAX = 32_768

DELETION_DAYS_DEFAULT = 30
DELETION_DAYS_MIN = 7
DELETION_DAYS_MAX = 30

ROTATION_DAYS_DEFAULT = 365
ROTATION_DAYS_MIN = 90
ROTATION_DAYS_MAX = 2560
#: Rotations on demand in the life of a key.
ON_DEMAND_ROTATIONS_MAX = 25

KEYS_PAGE_DEFAULT = 100
ALIASES_PAGE_DEFAULT = 50
GRANTS_PAGE_DEFAULT = 50
TAGS_PAGE_DEFAULT = 50
ROTATIONS_PAGE_DEFAULT = 100

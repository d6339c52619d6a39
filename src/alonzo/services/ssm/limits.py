"""Quotas of Parameter Store. Source: Systems Manager user guide, parameter tiers; API reference."""

from __future__ import annotations

#: Parameters of an account in a region, by tier.
PARAMETERS_MAX = {"Standard": 10_000, "Advanced": 100_000}
#: A value in UTF-8.
VALUE_BYTES_MAX = {"Standard": 4096, "Advanced": 8192}
#: Versions kept; an older one goes when there are more, unless it has a label.
VERSIONS_MAX = 100
LABELS_MAX = 10
LEVELS_MAX = 15
#: The name's part of the ARN, in characters.
NAME_CHARS_MAX = 1011
TAGS_MAX = 50

BY_PATH_PAGE = 10
PAGE = 50

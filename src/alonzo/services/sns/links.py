"""Where the platform answers the links in messages."""

from __future__ import annotations

#: Path of the links to confirm and to end subscriptions.
LINKS_PATH = "/_alonzo/sns"

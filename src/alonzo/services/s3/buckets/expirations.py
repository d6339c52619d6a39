"""When an object will expire, as answers about it say (``x-amz-expiration``).

Source: S3 API reference, HeadObject; user guide, lifecycle and object expiration.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import Any
from urllib.parse import quote

from alonzo.services.s3.buckets.asking import document_of
from alonzo.services.s3.buckets.lifecycle_rules import Rule, expires_at_s, in_force
from alonzo.services.s3.buckets.settings import LIFECYCLE
from alonzo.services.s3.records import Bucket, ObjectVersion

#: Configurations that are kept ready.
_READY_MAX = 256


class Expirations:
    """Knows the rules of buckets. For one event loop."""

    def __init__(self) -> None:
        self._ready: dict[int, tuple[int, list[Rule]]] = {}

    def shown(self, bucket: Bucket, version: ObjectVersion) -> dict[str, str]:
        """The member of an answer about a version: the rule that ends it first, and when."""
        if LIFECYCLE not in bucket.documents or not version.is_latest:
            return {}
        ends = [
            (at_s, rule.id)
            for rule in self._rules(bucket)
            if rule.filter.takes(version)
            and (at_s := expires_at_s(rule, version.modified_at_s)) is not None
        ]
        if not ends:
            return {}
        at_s, rule_id = min(ends)
        date = formatdate(at_s, usegmt=True)
        return {"Expiration": f'expiry-date="{date}", rule-id="{quote(rule_id, safe="")}"'}

    def _rules(self, bucket: Bucket) -> list[Rule]:
        revision, rules = self._ready.get(bucket.id, (0, []))
        if revision != bucket.revision:
            kept: dict[str, Any] = document_of(bucket, LIFECYCLE) or {"Rules": []}
            rules = in_force(kept["Rules"])
            if len(self._ready) >= _READY_MAX:
                self._ready.clear()
            self._ready[bucket.id] = (bucket.revision, rules)
        return rules

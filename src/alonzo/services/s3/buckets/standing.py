"""Policies of buckets, ready for the authorizer. Implements ``ports.ResourcePolicies``."""

from __future__ import annotations

from alonzo.lib.policies.compiled import Policy
from alonzo.services.s3.buckets.names import bucket_of_arn
from alonzo.services.s3.buckets.policies import compiled
from alonzo.services.s3.directory import Directory


class BucketPolicies:
    """Makes a policy ready when it is asked for, once for each state of its bucket."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._ready: dict[int, tuple[int, Policy | None]] = {}

    @property
    def generation(self) -> int:
        """Grows with every change of any bucket."""
        return self._directory.generation

    async def find(self, arn: str) -> Policy | None:
        """The policy of the bucket that the ARN is of, or in."""
        name = bucket_of_arn(arn)
        bucket = None if name is None else self._directory.try_find_nowait(name)
        if bucket is None:
            return None
        revision, policy = self._ready.get(bucket.id, (0, None))
        if revision != bucket.revision:
            policy = compiled(bucket)
            if len(self._ready) > self._directory.count():
                self._ready.clear()  # Deleted buckets go with the others.
            self._ready[bucket.id] = (bucket.revision, policy)
        return policy

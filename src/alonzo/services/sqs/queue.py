"""What a queue is: its name in the three forms that clients use, and everything set on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: How the name of a FIFO queue ends.
FIFO_SUFFIX = ".fifo"


@dataclass(frozen=True, slots=True)
class QueueKey:
    """One queue's name, in one account and region."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:sqs:{self.region}:{self.account}:{self.name}"

    def url(self, endpoint: str) -> str:
        """Its URL at an endpoint, which has no slash at its end."""
        return f"{endpoint}/{self.account}/{self.name}"


@dataclass(frozen=True, slots=True)
class Redrive:
    """Where messages go that were received too often.

    ``receives_max`` is AWS's ``maxReceiveCount``: what is received once more than that moves.
    """

    dead_letter_arn: str
    receives_max: int


@dataclass(frozen=True, slots=True)
class RedriveAllow:
    """Whose dead-letter queue a queue may be. ``source_arns`` counts only for ``byQueue``."""

    permission: Literal["allowAll", "denyAll", "byQueue"]
    source_arns: tuple[str, ...] = ()

    def allows(self, source_arn: str) -> bool:
        """Whether a queue may send its dead letters here."""
        if self.permission == "byQueue":
            return source_arn in self.source_arns
        return self.permission == "allowAll"


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue, as of one moment.

    ``id`` is never used again, even by a queue made anew under the same name. ``revision`` grows
    with every change. ``message_bytes_max`` counts body and attributes. ``redrive_allow`` is None
    where nothing was said: then every queue of its account may. ``attributes`` are those that were
    set, as text, by AWS's names.
    """

    id: int
    revision: int
    key: QueueKey
    created_at_s: float
    modified_at_s: float
    is_fifo: bool
    delay_s: int
    message_bytes_max: int
    retention_s: int
    receive_wait_s: int
    visibility_s: int
    redrive: Redrive | None
    redrive_allow: RedriveAllow | None
    policy: str | None
    kms_key_id: str | None
    kms_data_key_reuse_s: int
    managed_encryption: bool
    content_based_deduplication: bool
    deduplication_scope: Literal["queue", "messageGroup"]
    throughput_limit: Literal["perQueue", "perMessageGroupId"]
    attributes: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.key.arn

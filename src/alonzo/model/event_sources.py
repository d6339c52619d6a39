"""An event source mapping as those who read the source see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.model.arns import FunctionKey, FunctionRef


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """One mapping that is enabled.

    ``arn`` is its own, ``id`` its UUID. ``function`` is as the mapping names it. ``kind`` is the
    kind of source (``sqs``, ``sqs-fifo``, ``kinesis``, …). ``source_arn`` is None where only the
    document says what is read. ``document`` has the members of the API without a field here.
    """

    arn: str
    id: str
    function: FunctionRef
    kind: str
    source_arn: str | None
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """What a poller must know of a function: by whose role it reads, and how much it can call.

    ``reserved`` is the function's reserved concurrency, if it has any.
    """

    role_arn: str
    timeout_s: int
    reserved: int | None = None


@dataclass(frozen=True, slots=True)
class SourceUse:
    """A source that a function is to read, by the function's role, before there is a mapping."""

    kind: str
    source_arn: str
    function: FunctionKey
    role_arn: str

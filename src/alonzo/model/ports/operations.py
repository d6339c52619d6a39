"""The operations of services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from alonzo.model.context import RequestContext

#: One AWS operation: parameters as the service model names them, in; the output document, out.
#: ``None`` is an empty output. Blobs are bytes, timestamps aware datetimes or epoch seconds.
Operation = Callable[[RequestContext, dict[str, Any]], Awaitable[Mapping[str, Any] | None]]

#: The operations of one service, by name as in its model.
Operations = Mapping[str, Operation]

"""Every operation of the service model is implemented, or listed with a reason."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import botocore.loaders

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SequentialIds
from alonzo.services.logs.api import operations
from alonzo.services.logs.parts import LogParts
from alonzo.services.logs.unsupported import UNSUPPORTED


def test_every_operation_is_implemented_or_named_with_a_reason() -> None:
    model = botocore.loaders.Loader().load_service_model("logs", "service-2")
    nothing = cast(Any, None)
    writer = cast(Any, SimpleNamespace(watch=lambda watchers: None))
    parts = LogParts(nothing, writer, nothing, nothing, clock=ManualClock(), ids=SequentialIds())
    implemented = operations(parts)
    assert not implemented.keys() & UNSUPPORTED.keys()
    assert implemented.keys() | UNSUPPORTED.keys() == set(model["operations"])
    assert all(reason.endswith(".") for reason in UNSUPPORTED.values())

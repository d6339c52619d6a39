"""Every operation of the service model is implemented, or listed with a reason."""

from __future__ import annotations

from typing import Any, cast

import botocore.loaders

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SequentialIds
from alonzo.services.logs.api import UNSUPPORTED, operations


def test_every_operation_is_implemented_or_named_with_a_reason() -> None:
    model = botocore.loaders.Loader().load_service_model("logs", "service-2")
    nothing = cast(Any, None)
    implemented = operations(
        store=nothing, writer=nothing, clock=ManualClock(), ids=SequentialIds()
    )
    assert not implemented.keys() & UNSUPPORTED.keys()
    assert implemented.keys() | UNSUPPORTED.keys() == set(model["operations"])
    assert all(reason.endswith(".") for reason in UNSUPPORTED.values())

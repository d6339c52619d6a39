"""Clients of botocore, without reading its models anew for each."""

from __future__ import annotations

import functools
import threading
from typing import Any

import botocore.session

_making = threading.Lock()


@functools.cache
def botocore_session() -> Any:
    """The session of this process, which keeps the service models that it has read.

    A session of its own for each client costs 50 to 150 ms of work each time.
    """
    return botocore.session.Session()


def make_client(service: str, region: str, **settings: Any) -> Any:
    """``create_client`` of that session. Only one thread may make one at a time."""
    with _making:
        return botocore_session().create_client(service, region, **settings)

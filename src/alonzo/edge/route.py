"""A path that is no AWS operation, and who may ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from alonzo.model.http import RouteHandler


@dataclass(frozen=True, slots=True)
class Route:
    """Something that is no AWS operation.

    ``method`` None takes any. A ``prefix`` that ends in ``/`` takes every path below it, another
    one only itself. ``for_root``: the root user of the platform's own account alone may call it,
    and signs as ever.
    """

    method: str | None
    prefix: bytes
    handler: RouteHandler
    for_root: bool = False

    def matches(self, path: bytes) -> bool:
        """Whether the path belongs to the route, whatever the method."""
        return path.startswith(self.prefix) if self.prefix[-1:] == b"/" else path == self.prefix

    def takes(self, method: str) -> bool:
        """Whether the route serves the method; ``HEAD`` is a ``GET`` without the body."""
        return self.method in (None, method) or (method == "HEAD" and self.method == "GET")

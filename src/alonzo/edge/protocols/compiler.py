"""Turns shapes into closures, once each, so that a request costs calls and no look-ups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alonzo.model.service_models import Shape

#: Converts one value; None never reaches it.
Converter = Callable[[Any], Any]

_Key = tuple[str, str | None, bool]


class ShapeCompiler:
    """Builds one converter per shape; a shape that contains itself gets a forward reference.

    A member's own name and place are its parent's business, so a shape's name, its timestamp format
    and whether it is flattened say all that a converter may depend on. One compiler serves one
    service model.
    """

    def __init__(self, build: Callable[[Shape, Callable[[Shape], Converter]], Converter]) -> None:
        self._build = build
        self._ready: dict[_Key, Converter | None] = {}

    def __call__(self, shape: Shape) -> Converter:
        """The converter of a shape."""
        traits = shape.serialization
        key = (shape.name, traits.get("timestampFormat"), bool(traits.get("flattened")))
        if key not in self._ready:
            self._ready[key] = None
            self._ready[key] = self._build(shape, self)
        return self._ready[key] or self._forward(key)

    def _forward(self, key: _Key) -> Converter:
        def converter(value: Any) -> Any:
            target = self._ready[key]
            assert target is not None, "called before its shape was compiled"
            return target(value)

        return converter

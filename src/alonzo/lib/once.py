"""A value that is made when it is first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from alonzo.lib.tasks import TaskScope

T = TypeVar("T")


class Once(Generic[T]):
    """Makes a value once, however many ask for it meanwhile.

    A failure goes to all who wait for it; whoever asks next has it tried again. One who stops
    waiting stops nothing.
    """

    def __init__(
        self, make: Callable[[], Coroutine[Any, Any, T]], scope: TaskScope, *, name: str
    ) -> None:
        """``scope`` owns the making; ``name`` is its task's."""
        self._make = make
        self._scope = scope
        self._name = name
        self._making: asyncio.Task[T] | None = None
        #: The value; None: it is not made yet.
        self.value: T | None = None

    async def get(self) -> T:
        """The value, once it is there.

        Raises:
            Exception: whatever making it has raised.
        """
        if self.value is not None:
            return self.value
        if self._making is None:
            self._making = self._scope.spawn(self._run(), name=self._name)
        return await asyncio.shield(self._making)

    async def _run(self) -> T:
        try:
            self.value = await self._make()
        finally:
            self._making = None
        return self.value

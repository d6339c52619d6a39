"""The contract of every store backend (SQLite now, PostgreSQL later).

A *unit of work* is a plain function that gets a ``Connection`` and runs statements. It is run on
the store's own thread, so it must neither block on anything else nor touch the event loop.

Statements are standard SQL with ``:name`` parameters. What the two databases spell differently is
written once, in ``dialect.py``. A unit must not catch a ``StoreError`` and carry on: PostgreSQL
gives up the whole transaction at the first failed statement, so a unit asks before it writes, or
says ``ON CONFLICT``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from alonzo.model.errors import PlatformError

T = TypeVar("T")

Parameters = Mapping[str, Any]
Row = Mapping[str, Any]


class StoreError(PlatformError):
    """The store could not do it: an I/O error, a lost connection, a wrong statement.

    Nothing of the unit of work that raised it is visible, and the store itself goes on.
    """


class StoreFullError(StoreError):
    """There is no space left. The same call succeeds once space has returned."""


class ConstraintError(StoreError):
    """A row broke a rule of the schema: not unique, no parent, a NULL where none may be."""


class StoreClosedError(StoreError):
    """The store has been closed, or was closed while the call waited for its turn."""


class Connection(Protocol):
    """What a unit of work may do."""

    def execute(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run a statement; answers how many rows it changed.

        Raises:
            ConstraintError: a rule of the schema forbids it.
            StoreError: it failed for any other reason.
        """
        ...

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Run a statement once for each of the rows."""
        ...

    def all(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """Every row of a query, by column name."""
        ...

    def one(self, sql: str, parameters: Parameters | None = None) -> Row | None:
        """The first row of a query (or of what a ``RETURNING`` clause answers), or None."""
        ...

    def publish(self, topic: str, key: str) -> None:
        """Tell subscribers of ``topic`` about ``key`` once, and only if, this unit is committed."""
        ...

    def wipe(self) -> None:
        """What this unit deletes is to be off the disk soon after, logs of the store included."""
        ...


class Store(Protocol):
    """Durable, transactional state."""

    async def tx(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work that may write. When it returns, the work is durable.

        Units run one after another, in the order of the calls; several may share one commit. A
        unit that raises leaves nothing behind, and its exception is raised here. A call that is
        cancelled while it waits may still be carried out.

        Raises:
            StoreError: the commit failed; the unit left nothing behind.
        """
        ...

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work that only reads, on a snapshot, beside others."""
        ...

    def subscribe(self, topic: str, listener: Callable[[str], None]) -> Callable[[], None]:
        """Have ``listener(key)`` called on the event loop after each commit that published.

        The call comes before the ``tx`` that published returns. Answers a function that ends the
        subscription.
        """
        ...

"""Every background task has an owner: a ``TaskScope`` that starts, watches and ends it.

A scope also runs *light calls*: coroutines that usually get by with waiting for one ``Moment``, and
for which a task, with its turns of the event loop, would cost more than what they do. One that
waits for anything else becomes a task there and then, and so does one that somebody wants to end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar, cast
from weakref import WeakValueDictionary

log = logging.getLogger("alonzo.tasks")

T = TypeVar("T")

# "Extending asyncio" in Python's documentation: for those who run coroutines themselves.
_Switch = Callable[[asyncio.AbstractEventLoop, object], None]
_enter_task: _Switch = vars(asyncio.tasks)["_enter_task"]
_leave_task: _Switch = vars(asyncio.tasks)["_leave_task"]


class Turn:
    """What is to be done once all that is readable has been read: one callback for all of it.

    Work that is alike done in a row is faster than reading, working and writing by turns: it finds
    its code in the processor's caches, and no answer wakes a peer that takes the processor away.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._todo: list[Callable[[], None]] = []

    @classmethod
    def of_loop(cls) -> Turn:
        """That of the running loop, the same for all who ask."""
        loop = asyncio.get_running_loop()
        turn = _TURNS.get(id(loop))
        if turn is None:
            turn = _TURNS[id(loop)] = cls(loop)
        return turn

    def soon(self, step: Callable[[], None]) -> None:
        """Call ``step`` after what was handed in before. It must not raise."""
        if not self._todo:
            self.loop.call_soon(self._run)
        self._todo.append(step)

    def _run(self) -> None:
        todo, self._todo = self._todo, []
        for step in todo:
            step()


#: By the loop's address, which no other loop gets as long as the turn holds on to its own.
_TURNS: WeakValueDictionary[int, Turn] = WeakValueDictionary()


class Moment(asyncio.Future[T]):
    """A future for one waiter; for a light call that waits it costs no callback of its own."""

    # Without a constructor of its own, which would take as long as all else about a future.
    __slots__ = ("resume",)

    #: How the light call that waits goes on; not set where none does.
    resume: Callable[[], None]

    def give(self, value: T, turn: Turn) -> None:
        """Set the result. ``turn`` is that of the loop."""
        self.set_result(value)
        resume = getattr(self, "resume", None)
        if resume is not None:
            del self.resume
            turn.soon(resume)


class TaskScope:
    """Owner of tasks that run beside each other and end together.

    Unlike ``asyncio.TaskGroup``, one task that fails does not end its siblings: it is logged with
    its name and traceback, because a daemon that serves many tenants must outlive one bad task.
    Leaving the scope cancels what still runs and waits for it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._light: set[_LightCall] = set()

    async def __aenter__(self) -> TaskScope:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def spawn(self, coro: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Start ``coro`` now. Its failure is logged; its result is for whoever awaits the task."""
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def run(self, coro: Coroutine[Any, Any, None], *, name: str, turn: Turn) -> None:
        """Run ``coro`` as a light call, soon. Its failure is logged."""
        light = self._light
        call = _LightCall(self, coro, name, turn.loop, light.discard)
        light.add(call)
        turn.soon(call.step)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log_failure(task.get_name(), error)

    def __len__(self) -> int:
        return len(self._tasks) + len(self._light)

    async def drain(self) -> None:
        """Wait until no task is left, without cancelling any."""
        while len(self):
            await asyncio.wait(self._all_as_tasks())

    async def close(self) -> None:
        """Cancel what still runs and wait for it. Safe to call twice."""
        while len(self):
            tasks = self._all_as_tasks()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _all_as_tasks(self) -> set[asyncio.Task[Any]]:
        for call in list(self._light):
            call.become_task()
        return set(self._tasks)


class _LightCall:
    """One coroutine at work without a task; the current task as far as it can tell."""

    __slots__ = ("_coro", "_done", "_loop", "_name", "_scope", "_task", "_waits_for")

    def __init__(
        self,
        scope: TaskScope,
        coro: Coroutine[Any, Any, None],
        name: str,
        loop: asyncio.AbstractEventLoop,
        done: Callable[[_LightCall], None],
    ) -> None:
        """``done`` hears that it is over, or has become a task."""
        self._scope = scope
        self._coro = coro
        self._name = name
        self._loop = loop
        self._done = done
        self._waits_for: Any = None
        self._task: asyncio.Task[Any] | None = None

    def step(self) -> None:
        """Go on, up to what is waited for next."""
        if self._task is not None:
            return
        loop = self._loop
        _enter_task(loop, self)
        try:
            waits_for = self._coro.send(None)
        except StopIteration:
            self._done(self)
            return
        except BaseException as error:  # noqa: BLE001 - whatever it is, the others go on
            self._done(self)
            _log_failure(self._name, error)
            return
        finally:
            _leave_task(loop, self)
        self._waits_for = waits_for
        if type(waits_for) is Moment:
            waits_for.resume = self.step
        else:
            self.become_task()

    def become_task(self) -> asyncio.Task[Any]:
        """Let a task go on with the coroutine, from what it waits for."""
        if self._task is None:
            rest = _Rest(self._coro, self._waits_for)
            self._task = self._scope.spawn(rest, name=self._name)
            self._done(self)
        return self._task

    # What ``asyncio.timeout`` and the like ask of the current task.

    def cancel(self, msg: object = None) -> bool:
        """As of a task."""
        return self.become_task().cancel(msg)

    def cancelling(self) -> int:
        """As of a task."""
        return 0 if self._task is None else self._task.cancelling()

    def uncancel(self) -> int:
        """As of a task."""
        return 0 if self._task is None else self._task.uncancel()


class _Rest(Coroutine[Any, Any, None]):
    """A coroutine that has begun, for a task: what it waits for already comes first, once more."""

    def __init__(self, coro: Coroutine[Any, Any, None], waits_for: object) -> None:
        self._coro = coro
        self._first: object = waits_for
        self._begun = False
        if isinstance(waits_for, asyncio.Future):
            # A task takes this for a future that is being waited for.
            cast("Any", waits_for)._asyncio_future_blocking = True

    def send(self, value: None) -> Any:
        """As of a coroutine."""
        if self._begun:
            return self._coro.send(value)
        self._begun = True
        return self._first

    def throw(self, *error: Any) -> Any:
        """As of a coroutine."""
        self._begun = True
        return self._coro.throw(*error)

    def close(self) -> None:
        """As of a coroutine."""
        self._coro.close()

    def __await__(self) -> Generator[Any, Any, None]:
        """A task does not await what it runs."""
        raise NotImplementedError


def _log_failure(name: str, error: BaseException) -> None:
    log.error("task.failed", extra={"task": name}, exc_info=error)

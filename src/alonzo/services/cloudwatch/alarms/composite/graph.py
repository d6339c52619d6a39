"""Which composite alarms follow a change, and in which order. Pure.

An alarm comes after all those that it looks at, so it is evaluated once, with their new states.
Alarms on a cycle, and between two cycles, are left as they are: their evaluation would never end.

Source: CloudWatch API reference, PutCompositeAlarm, on cycles.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


def order_of(parents: Mapping[str, Collection[str]]) -> list[str]:
    """The alarms to evaluate, in order.

    ``parents`` has each alarm that may change, with the composite alarms that look at it; all of
    these are keys themselves. What nothing in it leads to is where the change began, and is not
    among the answer unless it is on no cycle and follows from something else.
    """
    frozen = on_cycles(parents)
    free = {
        name: [each for each in over if each not in frozen]
        for name, over in parents.items()
        if name not in frozen
    }
    found, _ = _sorted(free)
    followers = {each for over in parents.values() for each in over}
    return [name for name in found if name in followers]


def on_cycles(parents: Mapping[str, Collection[str]]) -> set[str]:
    """The alarms that are on a cycle, or between two."""
    _, left = _sorted(parents)
    children: dict[str, list[str]] = {name: [] for name in left}
    for name in left:
        for each in parents[name]:
            if each in left:
                children[each].append(name)
    _, core = _sorted(children)
    return core


def _sorted(edges: Mapping[str, Collection[str]]) -> tuple[list[str], set[str]]:
    """Nodes in an order in which edges lead forward, and those that have no place in one."""
    waits = dict.fromkeys(edges, 0)
    for targets in edges.values():
        for each in targets:
            waits[each] += 1
    ready = [name for name, number in waits.items() if not number]
    for name in ready:
        for each in edges[name]:
            waits[each] -= 1
            if not waits[each]:
                ready.append(each)
    return ready, edges.keys() - set(ready)

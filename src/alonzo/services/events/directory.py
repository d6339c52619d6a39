"""Every bus, rule and archive: in memory, with the store as the truth.

So an event finds its rules, and a policy is asked, without a query. Whoever changes something does
it through ``change``: when that returns, every later request sees it. Implements
``ports.ResourcePolicies`` for buses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.policies.compiled import Policy, PolicyError, compile_policy
from alonzo.services.events import records
from alonzo.services.events.arns import DEFAULT, arn_of, name_of
from alonzo.services.events.documents import Document
from alonzo.services.events.errors import no_bus, no_rule
from alonzo.services.events.patterns import PatternIndex
from alonzo.services.events.records import Archive, Bus, Q, Rule
from alonzo.store.base import Connection, Store

T = TypeVar("T")

#: The store's topic on which changes of schedules and of replays are published.
TIMES_TOPIC = "events times"
REPLAYS_TOPIC = "events replays"

#: What counts where a policy cannot be evaluated: it might deny.
_DENY_ALL = compile_policy(
    {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}}, "unreadable policy"
)


class Unit:
    """A unit of work that changes buses, rules or archives."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        self.changes: dict[str, Bus | Rule | Archive | None] = {}

    def rule(self, arn: str, bus_arn: str, name: str) -> tuple[Rule, float | None]:
        """A rule as it is now, with its next tick.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        found = records.find_rule(self.db, arn)
        if found is None:
            raise no_rule(name, name_of(bus_arn))
        return found

    def bus(self, arn: str, fallback: Bus) -> Bus:
        """A bus as it is now; a default bus may have no row.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        row = self.db.one(Q.find_bus, {"arn": arn})
        if row is None and name_of(arn) != DEFAULT:
            raise no_bus(name_of(arn))
        return fallback if row is None else records.bus_from(row)

    def save_bus(self, bus: Bus) -> None:
        """Write a bus."""
        records.save_bus(self.db, bus)
        self.changes[bus.arn] = bus

    def save_rule(self, rule: Rule, due_at_s: float | None) -> None:
        """Write a rule with its next tick."""
        records.save_rule(self.db, rule, due_at_s)
        self.changes[rule.arn] = rule
        if rule.schedule is not None:
            self.db.publish(TIMES_TOPIC, rule.arn)

    def save_archive(self, archive: Archive) -> None:
        """Write an archive."""
        records.save_archive(self.db, archive)
        self.changes[archive.arn] = archive

    def delete(self, statement: str, arn: str) -> None:
        """Delete one of them."""
        self.db.execute(statement, {"arn": arn})
        self.changes[arn] = None


class Directory:
    """The buses, rules and archives of all accounts and regions."""

    def __init__(self, store: Store, *, clock: Clock, ids: IdSource) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self._buses: dict[str, Bus] = {}
        self._policies: dict[str, Policy] = {}
        self._rules: dict[str, Rule] = {}
        self._of_bus: dict[str, dict[str, Rule]] = {}
        self._archives: dict[str, Archive] = {}
        self._rule_patterns: dict[str, PatternIndex[Rule]] = {}
        self._archive_patterns: dict[str, PatternIndex[Archive]] = {}
        #: Grows with every change of a policy.
        self.generation = 0

    async def open(self) -> None:
        """Read everything once, before the first request."""
        buses, rules, archives = await self.store.read(
            lambda db: (db.all(Q.all_buses), db.all(Q.all_rules), db.all(Q.all_archives))
        )
        for row in buses:
            self._apply_bus(row["arn"], records.bus_from(row))
        for row in rules:
            self._apply_rule(row["arn"], records.rule_from(row))
        for row in archives:
            self._apply_archive(row["arn"], records.archive_from(row))

    async def change(self, work: Callable[[Unit], T]) -> T:
        """Run a unit of work; all is in force when this returns."""

        def whole(db: Connection) -> tuple[T, Unit]:
            unit = Unit(db)
            return work(unit), unit

        result, unit = await self.store.tx(whole)
        for arn, record in unit.changes.items():
            kind = arn.split(":", 5)[5].partition("/")[0]
            if kind == "rule":
                self._apply_rule(arn, record if isinstance(record, Rule) else None)
            elif kind == "archive":
                self._apply_archive(arn, record if isinstance(record, Archive) else None)
            else:
                self._apply_bus(arn, record if isinstance(record, Bus) else None)
        return result

    def try_bus(self, arn: str) -> Bus | None:
        """The bus of that ARN, or None. Every account has a default one in every region."""
        found = self._buses.get(arn)
        if found is None and name_of(arn) == DEFAULT:
            return Bus(arn, 0.0, 0.0)
        return found

    def need_bus(self, arn: str) -> Bus:
        """The bus of that ARN.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        found = self.try_bus(arn)
        if found is None:
            raise no_bus(name_of(arn))
        return found

    def buses_of(self, account: str, region: str) -> list[Bus]:
        """All buses of an account in a region, by name."""
        start = arn_of(account, region, "event-bus/")
        found = {arn: bus for arn, bus in self._buses.items() if arn.startswith(start)}
        found.setdefault(start + DEFAULT, self.need_bus(start + DEFAULT))
        return sorted(found.values(), key=lambda bus: bus.name)

    def try_rule(self, arn: str) -> Rule | None:
        """The rule of that ARN, or None."""
        return self._rules.get(arn)

    def rules_of(self, bus_arn: str) -> list[Rule]:
        """All rules of a bus, by name."""
        found = self._of_bus.get(bus_arn, {})
        return sorted(found.values(), key=lambda rule: rule.name)

    def count_rules(self, bus_arn: str) -> int:
        """How many rules a bus has."""
        return len(self._of_bus.get(bus_arn, {}))

    def try_archive(self, arn: str) -> Archive | None:
        """The archive of that ARN, or None."""
        return self._archives.get(arn)

    def archives_of(self, account: str, region: str) -> list[Archive]:
        """All archives of an account in a region, by name."""
        start = arn_of(account, region, "archive/")
        return [self._archives[arn] for arn in sorted(self._archives) if arn.startswith(start)]

    def every_archive(self) -> Iterable[Archive]:
        """All archives there are, as of now."""
        return list(self._archives.values())

    def rules_for(self, bus_arn: str, event: Document) -> list[Rule]:
        """The rules of a bus that an event is for."""
        index = self._rule_patterns.get(bus_arn)
        return [] if index is None else index.matching(event)

    def archives_for(self, bus_arn: str, event: Document) -> list[Archive]:
        """The archives that keep an event on a bus."""
        index = self._archive_patterns.get(bus_arn)
        return [] if index is None else index.matching(event)

    async def find(self, arn: str) -> Policy | None:
        """The policy of a bus, or None: it has none."""
        return self._policies.get(arn)

    def _apply_bus(self, arn: str, bus: Bus | None) -> None:
        self.generation += 1
        self._policies.pop(arn, None)
        if bus is None:
            self._buses.pop(arn, None)
            return
        self._buses[arn] = bus
        if bus.statements:
            self._policies[arn] = _compiled(bus)

    def _apply_rule(self, arn: str, rule: Rule | None) -> None:
        old = self._rules.pop(arn, None)
        if old is not None:
            del self._of_bus[old.bus_arn][arn]
            if old.bus_arn in self._rule_patterns:
                self._rule_patterns[old.bus_arn].remove(arn)
        if rule is None:
            return
        self._rules[arn] = rule
        self._of_bus.setdefault(rule.bus_arn, {})[arn] = rule
        if rule.pattern is not None and rule.is_enabled and rule.targets:
            index = self._rule_patterns.setdefault(rule.bus_arn, PatternIndex())
            index.put(arn, rule, rule.pattern)

    def _apply_archive(self, arn: str, archive: Archive | None) -> None:
        old = self._archives.pop(arn, None)
        if old is not None:
            self._archive_patterns[old.bus_arn].remove(arn)
        if archive is not None:
            self._archives[arn] = archive
            index = self._archive_patterns.setdefault(archive.bus_arn, PatternIndex())
            index.put(arn, archive, archive.pattern)


def _compiled(bus: Bus) -> Policy:
    try:
        return compile_policy({"Version": "2012-10-17", "Statement": list(bus.statements)}, bus.arn)
    except PolicyError:
        return _DENY_ALL

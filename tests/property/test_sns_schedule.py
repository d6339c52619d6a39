"""Whatever comes and fails in whatever order: nothing is lost, and no group's order is broken."""

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alonzo.services.sns import schedule as module
from alonzo.services.sns.schedule import Entry, Schedule

SLOTS, LANE_SLOTS_MAX, WINDOW = 5, 3, 8
LANES = ("a", "b", "c")


class World(RuleBasedStateMachine):
    """The store is a list for each lane; the schedule sees a window of it."""

    def __init__(self):
        super().__init__()
        self.real = module.LANE_SLOTS_MAX, module.WINDOW
        module.LANE_SLOTS_MAX, module.WINDOW = LANE_SLOTS_MAX, WINDOW
        self.schedule = Schedule(SLOTS, {"c": 2.0}.get)
        self.now_s, self.place = 1000.0, 0
        self.stored = defaultdict(list)
        self.in_hand = []
        self.last = {}

    @rule(
        lane=st.sampled_from(LANES), group=st.sampled_from(["", "g", "h"]), count=st.integers(1, 9)
    )
    def publish(self, lane, group, count):
        for _ in range(count):
            self.place += 1
            entry = Entry(lane, self.place, f"m{self.place}", group, 0, self.now_s)
            self.stored[lane].append(entry)
            self.schedule.add(entry, self.now_s)

    @rule(seconds=st.floats(0.0, 3.0))
    def wait(self, seconds):
        self.start(seconds)

    def start(self, seconds):
        self.now_s += seconds
        started = self.schedule.start(self.now_s)
        for entry in started:
            assert entry.due_at_s <= self.now_s
            if entry.group_id:
                key = (entry.subscription_arn, entry.group_id)
                assert all((e.subscription_arn, e.group_id) != key for e in self.in_hand)
                assert entry.place >= self.last.get(key, 0)
                self.last[key] = entry.place
            self.in_hand.append(entry)
        return started

    @rule(which=st.integers(0, 50), fails=st.booleans())
    def end(self, which, fails):
        if not self.in_hand:
            return
        entry = self.in_hand.pop(which % len(self.in_hand))
        stored = self.stored[entry.subscription_arn]
        at = next(n for n, each in enumerate(stored) if each.place == entry.place)
        if fails:
            self.schedule.postpone(entry, self.now_s + 1.0, self.now_s)
        else:
            del stored[at]
            self.schedule.finish(entry, self.now_s)
        self.fill(entry.subscription_arn)

    def fill(self, lane):
        while (gap := self.schedule.gap(lane)) is not None:
            rest = [each for each in self.stored[lane] if each.place > gap.after]
            self.schedule.refill(gap, rest[:WINDOW], len(rest) > WINDOW, self.now_s)

    @invariant()
    def slots_are_kept_to(self):
        assert len(self.in_hand) <= SLOTS
        for lane in LANES:
            held = sum(each.subscription_arn == lane for each in self.in_hand)
            assert held <= LANE_SLOTS_MAX
        assert len(self.schedule) <= sum(map(len, self.stored.values()))

    def teardown(self):
        while any(self.stored.values()):
            started = self.in_hand or self.start(1.0)
            assert started or self.schedule.next_alarm_s() is not None
            while self.in_hand:
                self.end(0, fails=False)
        module.LANE_SLOTS_MAX, module.WINDOW = self.real
        assert not any(self.stored.values())
        assert len(self.schedule) == 0
        assert not vars(self.schedule)["_lanes"]


TestSchedule = World.TestCase
TestSchedule.settings = settings(stateful_step_count=30, deadline=None)

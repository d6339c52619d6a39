"""Peaks of concurrency, what a sample says of them, and which traces are sampled."""

from types import SimpleNamespace

from alonzo.invoke.concurrency import Concurrency, Reservations
from alonzo.invoke.rules import trace_header
from alonzo.invoke.sampling import Sampler
from alonzo.invoke.traces.sampling import TraceSampler
from alonzo.lib.clock import ManualClock
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion
from alonzo.model.metering import LambdaMetric, ReservedEnvironments
from alonzo.model.provisioned import ProvisionedFigures

HERE = ("000000000000", "us-east-1")
A, B = FunctionKey(*HERE, "a"), FunctionKey(*HERE, "b")
FREE, RESERVED = Reservations(None, 10), Reservations(10, 10)


def test_a_peak_lasts_until_somebody_asks():
    concurrency = Concurrency(1000)
    slots = [concurrency.take(A, FREE) for _ in range(3)]
    for slot in slots[1:]:
        concurrency.give_back(slot)
    peaks = concurrency.take_peaks()
    assert (peaks.functions, peaks.regions, peaks.unreserved) == ({A: 3}, {HERE: 3}, {HERE: 3})
    # One is still in flight.
    assert concurrency.take_peaks().functions == {A: 1}
    concurrency.give_back(slots[0])
    assert concurrency.take_peaks().functions == {A: 1}
    assert concurrency.take_peaks().functions == {}
    assert concurrency.take_peaks().regions == {}


def test_calls_one_after_another_are_a_peak_of_one_and_leave_nothing():
    concurrency = Concurrency(1000)
    for key in (A, B, A, B):
        concurrency.give_back(concurrency.take(key, FREE))
    peaks = concurrency.take_peaks()
    assert (peaks.functions, peaks.regions) == ({A: 1, B: 1}, {HERE: 1})
    assert concurrency._of_function == {}
    assert len(concurrency) == 0


def test_calls_with_a_reservation_are_the_region_s_and_not_unreserved():
    concurrency = Concurrency(1000)
    slots = [
        concurrency.take(A, FREE),
        concurrency.take(B, RESERVED),
        concurrency.take(B, RESERVED),
    ]
    peaks = concurrency.take_peaks()
    assert peaks.functions == {A: 1, B: 2}
    assert (peaks.regions, peaks.unreserved) == ({HERE: 3}, {HERE: 1})
    for slot in slots:
        concurrency.give_back(slot)
    assert len(concurrency) == 0


def test_a_slot_that_outlives_a_sample_is_given_back_to_its_own_count():
    concurrency = Concurrency(1000)
    slot = concurrency.take(A, FREE)
    for _ in range(3):
        concurrency.take_peaks()
    again = concurrency.take(A, FREE)
    concurrency.give_back(slot)
    concurrency.give_back(again)
    assert concurrency.take_peaks().functions == {A: 2}
    assert len(concurrency) == 0


class Counted:
    """Keeps what it is told."""

    def __init__(self):
        self.values, self.reserved = [], []

    def add_nowait(self, metric, ref, value=1.0, *, executed_version=None):
        self.values.append((metric, ref.key.name, ref.qualifier, value))

    def add_of_region_nowait(self, metric, account, region, value):
        self.values.append((metric, account, region, value))

    def reserved_nowait(self, reserved, milliseconds):
        self.reserved.append((reserved.environments, milliseconds))


def test_a_sample_has_peaks_use_and_what_is_reserved():
    concurrency, counted, clock = Concurrency(1000), Counted(), ManualClock()
    concurrency.take(A, FREE)
    version = ServingVersion(B, "7", "g", "python3.12", "h", "r", "c")
    provisioned = SimpleNamespace(
        figures=lambda: [ProvisionedFigures(B, "7", 4, 1, 9, 0)],
        reserved=lambda: [ReservedEnvironments(version, 5)],
    )
    sampler = Sampler(concurrency, provisioned, counted, clock)
    clock.advance(1.5)
    sampler.sample()
    assert counted.values == [
        (LambdaMetric.CONCURRENT_EXECUTIONS, "a", None, 1),
        (LambdaMetric.CONCURRENT_EXECUTIONS, *HERE, 1),
        (LambdaMetric.UNRESERVED_CONCURRENT_EXECUTIONS, *HERE, 1),
        (LambdaMetric.PROVISIONED_CONCURRENT_EXECUTIONS, "b", "7", 1),
        (LambdaMetric.PROVISIONED_CONCURRENCY_UTILIZATION, "b", "7", 0.25),
    ]
    assert counted.reserved == [(5, 1500)]
    clock.advance(3600)  # The host slept.
    sampler.sample()
    assert counted.reserved[-1] == (5, 10_000)


def test_the_first_call_of_a_second_is_traced_and_one_in_twenty_of_the_others():
    sampler = TraceSampler()
    never, always = "ffff", "0000"
    assert sampler.samples(A, 10.0, never)
    assert not sampler.samples(A, 10.9, never)
    assert sampler.samples(A, 10.9, always)
    assert sampler.samples(B, 10.9, never)
    assert sampler.samples(A, 11.0, never)
    second = [sampler.samples(A, 11.5, f"{number:04x}") for number in range(0x10000)]
    assert sum(second) / len(second) == 0.05 or abs(sum(second) / len(second) - 0.05) < 0.0001


def test_only_what_the_caller_left_open_is_asked():
    asked = []

    def samples():
        asked.append(1)
        return True

    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    for incoming, sampled, count in (
        (None, 1, 1),
        ("", 1, 2),
        (root, 1, 3),
        (f"{root};Sampled=?", 1, 4),
        (f"{root};Sampled=0", 0, 4),
        (f"{root};Sampled=1", 1, 4),
        (f"Sampled=0;{root}", 0, 4),
    ):
        header = trace_header(incoming, 1.0, "a" * 40, "1:x", samples=samples)
        assert f";Sampled={sampled};" in header, incoming
        assert len(asked) == count

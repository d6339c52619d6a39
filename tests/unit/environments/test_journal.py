"""The log of one environment."""

from alonzo.environments.journal import Journal
from alonzo.lib.clock import ManualClock
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion

KEY = FunctionKey("000000000000", "eu-west-1", "shop")
VERSION = ServingVersion(
    KEY, "$LATEST", "g1", "python3.12", "m.h", "role", "00", log_group="/aws/lambda/shop"
)
BIRTH_S = 1_800_000_000.0


class Sink:
    """Keeps each write apart."""

    def __init__(self):
        self.kept = []
        self.batch = object()

    def write_nowait(self, stream, events):
        self.kept.append(events)

    @property
    def writes(self):
        return [[(event.timestamp_ms, event.message) for event in each] for each in self.kept]


def lines(*texts):
    return texts


def journal():
    sink, clock = Sink(), ManualClock(BIRTH_S)
    return Journal(VERSION, sink, clock=clock, suffix="0123"), sink, clock


def test_a_batch_is_one_write():
    log, sink, clock = journal()
    clock.advance(2)
    log.write_output([("a", None), ("b", BIRTH_S + 1.5)])
    assert sink.writes == [[(1_800_000_002_000, "a"), (1_800_000_001_500, "b")]]


def test_lines_of_one_moment_are_one_write():
    log, sink, _ = journal()
    log.start_tail()
    log.write_lines(BIRTH_S + 1, "END", "REPORT")
    assert sink.writes == [[(1_800_000_001_000, "END"), (1_800_000_001_000, "REPORT")]]
    assert log.take_tail() == b"END\nREPORT\n"


def test_two_late_writes_in_a_row_become_one_and_keep_their_times():
    log, sink, _ = journal()
    for at_s in (1, 3):
        log.write_late(BIRTH_S + at_s, lines, "START")
        log.write_late(BIRTH_S + at_s + 1, lines, "END", "REPORT")
    times = [1_800_000_000_000 + 1000 * each for each in range(5)]
    assert sink.writes == [
        [(times[at], "START"), (times[at + 1], "END"), (times[at + 1], "REPORT")] for at in (1, 3)
    ]


def test_what_comes_between_two_late_writes_or_looks_at_the_first_keeps_them_apart():
    log, sink, clock = journal()
    clock.advance(1)
    log.write_late(BIRTH_S, lines, "START")
    log.write_output([("printed", None)])
    log.write_late(BIRTH_S + 1, lines, "END")
    log.write_lines(BIRTH_S + 1, "INIT_START")
    log.write_late(BIRTH_S + 1, lines, "START")
    sink.batch = object()
    log.write_late(BIRTH_S + 1, lines, "END")
    texts = [[text for _, text in each] for each in sink.writes]
    assert texts == [["START"], ["printed"], ["END"], ["INIT_START"], ["START"], ["END"]]


def test_a_stated_time_counts_only_within_the_life_of_the_environment():
    log, sink, clock = journal()
    clock.advance(10)
    log.write_output([("early", 0.0), ("late", 2.0**64 / 1e6), ("right", BIRTH_S + 4)])
    assert [at - 1_800_000_000_000 for at, _ in sink.writes[0]] == [0, 10_000, 4_000]


def test_the_tail_is_kept_from_its_start_to_its_taking():
    log, _, _ = journal()
    log.write_lines(BIRTH_S, "before")
    assert log.take_tail() is None
    log.start_tail()
    log.write_lines(BIRTH_S, "START")
    log.write_output([("é", None), ("b", None)])
    log.write_lines(BIRTH_S, "END")
    assert log.take_tail() == "START\né\nb\nEND\n".encode()
    log.write_lines(BIRTH_S, "after")
    assert log.take_tail() is None


def test_the_tail_is_the_last_four_kilobytes():
    log, _, _ = journal()
    lines = [f"line {n}" for n in range(20_000)]
    log.start_tail()
    log.write_output([(line, None) for line in lines[:7]])
    log.write_output([(line, None) for line in lines[7:]])
    log.write_lines(BIRTH_S, "REPORT")
    whole = "".join(f"{line}\n" for line in [*lines, "REPORT"]).encode()
    assert log.take_tail() == whole[-4096:]


def test_the_tail_of_one_long_line_is_its_end():
    log, _, _ = journal()
    log.start_tail()
    log.write_output([("x" * 9000 + "y", None)])
    assert log.take_tail() == b"x" * 4094 + b"y\n"


def test_the_tail_looks_at_no_more_of_a_batch_than_it_takes():
    class Watched(list):
        looked_at = 0

        def __reversed__(self):
            for event in super().__reversed__():
                self.looked_at += 1
                yield event

    log, _, _ = journal()
    log.start_tail()
    batch = Watched([("x" * 99, None)] * 30_000)
    log.write_output(batch)
    assert 41 <= batch.looked_at <= 42

"""Cutting what a process prints into log events, and reading it no faster than is fair."""

import array
import asyncio
import fcntl
import os
import struct
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.environments.output import EVENT_BYTES_MAX, LineCutter, OutputPipe, RecordCutter

PIPE_BYTES = 1 << 16


def collect(cutter, *pieces):
    events = [event for piece in pieces for event in cutter.feed(piece)]
    return events + cutter.finish()


def record(text, kind=0xA55A000F, at_us=1_700_000_000_250_000):
    data = text.encode()
    return struct.pack(">IIQ", kind, len(data), at_us) + data


def test_a_line_is_an_event_however_it_arrives():
    assert collect(LineCutter(), b"on", b"e\ntwo\nth", b"ree") == [
        ("one", None), ("two", None), ("three", None),
    ]  # fmt: skip


def test_empty_lines_are_no_events():
    assert collect(LineCutter(), b"\n\n a\n \n") == [(" a", None)]


def test_a_line_without_end_is_cut():
    sizes = [len(text) for text, _ in collect(LineCutter(), b"x" * (2 * EVENT_BYTES_MAX + 5))]
    assert sizes == [EVENT_BYTES_MAX, EVENT_BYTES_MAX, 5]


def test_a_long_line_that_ends_is_cut_too():
    pieces = [b"x" * PIPE_BYTES] * 4 + [b"xx\ny\n"]
    assert [len(text) for text, _ in collect(LineCutter(), *pieces)] == [EVENT_BYTES_MAX, 2, 1]


def test_bytes_that_are_no_text_are_replaced():
    assert collect(LineCutter(), b"\xff\xfe\n\xc3\n\xa4\n") == [
        ("\ufffd\ufffd", None), ("\ufffd", None), ("\ufffd", None),
    ]  # fmt: skip


def test_a_record_is_one_event_with_its_own_time():
    assert collect(RecordCutter(), record("a\nb\n")) == [("a\nb", 1_700_000_000.25)]


def test_bytes_that_are_no_record_are_shown():
    assert collect(RecordCutter(), b"not a record at all") == [("not a record at all", None)]
    assert collect(RecordCutter(), record("a") + b"x" * 20) == [
        ("a", 1_700_000_000.25), ("x" * 20, None),
    ]  # fmt: skip


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)),
       st.integers(1, 7))  # fmt: skip
def test_records_survive_any_cutting(texts, size):
    stream = b"".join(record(text) for text in texts)
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert [t for t, _ in collect(RecordCutter(), *pieces)] == [t for t in texts if t.strip()]


@given(st.binary(max_size=60), st.integers(1, 7))
def test_lines_are_the_same_however_they_are_cut(data, size):
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    lines = [line.decode("utf-8", "replace") for line in data.split(b"\n")]
    assert [text for text, _ in collect(LineCutter(), *pieces)] == [t for t in lines if t.strip()]


@given(st.lists(st.binary(max_size=60)))
def test_any_bytes_at_all_are_taken(pieces):
    collect(RecordCutter(), *pieces)
    collect(LineCutter(), *pieces)


class SteppedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock moves when it is told to."""

    now_s = 1000.0

    def time(self):
        return self.now_s

    def turn(self):
        """What is ready now runs, and what is readable is read."""
        for _ in range(5):
            self.call_soon(self.stop)
            self.run_forever()


@pytest.fixture
def loop():
    loop, complaints = SteppedLoop(), []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield loop
    loop.turn()
    loop.close()
    assert complaints == []


class Printing:
    """A pipe with our own hand on its writing end."""

    def __init__(self, loop):
        self.batches = []
        asyncio.set_event_loop(loop)
        loop.run_until_complete(self._open())
        asyncio.set_event_loop(None)
        self.fd = self.pipe.write_fd
        os.set_blocking(self.fd, False)

    async def _open(self):
        self.pipe = OutputPipe(LineCutter(), self.take)

    def take(self, events):
        self.batches.append(list(events))

    @property
    def sizes(self):
        return [len(batch) for batch in self.batches]

    @property
    def unread_bytes(self):
        count = array.array("i", [0])
        fcntl.ioctl(self.fd, termios.FIONREAD, count)
        return count[0]

    def fill(self):
        while True:
            try:
                os.write(self.fd, b"a\n" * 2048)
            except BlockingIOError:
                return


@pytest.fixture
def printing(loop):
    printing = Printing(loop)
    yield printing
    printing.pipe.close()


def test_a_read_is_one_batch_and_no_more_than_a_quarter_of_the_pipe(loop, printing):
    printing.fill()
    loop.turn()
    assert printing.sizes == [PIPE_BYTES // 4 // 2]


def test_a_pipe_that_brings_too_much_is_left_alone_for_a_while(loop, printing):
    printing.fill()
    loop.turn()
    assert printing.unread_bytes == PIPE_BYTES * 3 // 4
    loop.turn()
    assert len(printing.batches) == 1
    loop.now_s += 1
    loop.turn()
    assert len(printing.batches) == 2


def test_what_is_printed_at_a_fair_rate_is_read_at_once(loop, printing):
    for _ in range(50):
        os.write(printing.fd, b"one line\n" * 200)
        loop.turn()
        loop.now_s += 0.01
    assert printing.sizes == [200] * 50


def test_long_lines_cost_by_their_bytes(loop, printing):
    line = b"x" * 16383 + b"\n"
    while printing.unread_bytes < PIPE_BYTES:
        os.write(printing.fd, line)
        loop.turn()
    assert 256 <= len(printing.batches) <= 257


def test_the_end_of_an_event_takes_what_the_pipe_held_and_no_more(loop, printing):
    def take_and_refill(events):
        printing.batches.append(events)
        printing.fill()

    printing.pipe._emit = take_and_refill
    printing.fill()
    printing.pipe.finish_event()
    assert printing.sizes == [PIPE_BYTES // 2]


def test_the_end_of_an_event_comes_with_its_open_line(loop, printing):
    os.write(printing.fd, b"one\ntw")
    printing.pipe.finish_event()
    printing.pipe.finish_event()
    assert printing.batches == [[("one", None), ("tw", None)]]


def test_a_pipe_knows_of_the_line_that_is_open(loop, printing):
    os.write(printing.fd, b"one\ntw")
    assert not printing.pipe.has_open_event
    loop.turn()
    assert printing.pipe.has_open_event
    printing.pipe.finish_event(read=False)
    assert not printing.pipe.has_open_event
    assert printing.batches == [[("one", None)], [("tw", None)]]


def test_a_pipe_is_quiet_once_all_of_it_is_read(loop, printing):
    assert printing.pipe.is_quiet
    os.write(printing.fd, b"one\n")
    loop.turn()
    assert printing.pipe.is_quiet
    os.write(printing.fd, b"open")
    loop.turn()
    assert not printing.pipe.is_quiet
    printing.pipe.finish_event()
    assert printing.pipe.is_quiet
    printing.fill()
    loop.turn()
    assert not printing.pipe.is_quiet
    printing.pipe.finish_event()
    assert not printing.pipe.is_quiet
    loop.now_s += 10
    loop.turn()
    os.write(printing.fd, b"last\n")
    loop.turn()
    assert printing.pipe.is_quiet


def test_a_pipe_in_debt_can_be_closed(loop, printing):
    printing.fill()
    loop.turn()
    printing.pipe.close()
    printing.pipe.close()
    loop.now_s += 1
    loop.turn()
    assert len(printing.batches) == 1


def test_a_process_that_is_gone_leaves_its_last_words(loop, printing):
    os.write(printing.fd, b"bye\nb")
    printing.pipe.close_write_end()
    loop.turn()
    printing.pipe.finish_event()
    assert printing.batches == [[("bye", None)], [("b", None)]]

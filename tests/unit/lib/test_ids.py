"""Identifiers are of their form, and never given away twice."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

from alonzo.lib.ids import SystemIds

VERSION_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_uuids_are_random_ones_of_version_4() -> None:
    made = [SystemIds().uuid() for _ in range(2000)]
    assert all(map(VERSION_4.fullmatch, made))
    assert len(set(made)) == len(made)
    # Each of the free digits takes every value it may take.
    for place in set(range(36)) - {8, 13, 14, 18, 19, 23}:
        assert len({uuid[place] for uuid in made}) == 16
    assert {uuid[19] for uuid in made} == set("89ab")


def test_threads_share_no_uuid() -> None:
    ids = SystemIds()
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: [ids.uuid() for _ in range(1000)], range(8)))
    assert len({uuid for some in made for uuid in some}) == 8000


def test_hex_is_random_of_any_length_and_never_the_same() -> None:
    ids = SystemIds()
    for n_bytes in (4, 10, 16, 20, 21, 32):
        made = [ids.hex(n_bytes) for _ in range(600)]
        assert {len(text) for text in made} == {2 * n_bytes}
        assert len(set(made)) == len(made)
        for place in range(2 * n_bytes):
            assert {text[place] for text in made} == set("0123456789abcdef")


def test_child_of_a_fork_does_not_repeat_its_parents() -> None:
    ids = SystemIds()
    ids.uuid()
    ids.hex(20)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(
            writing,
            "\n".join(
                [*(ids.uuid() for _ in range(300)), *(ids.hex(20) for _ in range(300))]
            ).encode(),
        )
        os._exit(0)
    os.close(writing)
    text = b""
    while piece := os.read(reading, 65_536):
        text += piece
    os.close(reading)
    os.waitpid(child, 0)
    theirs = set(text.decode().split("\n"))
    assert len(theirs) == 600
    assert not theirs & {ids.uuid() for _ in range(600)}
    assert not theirs & {ids.hex(20) for _ in range(600)}

"""Who guesses waits, and whoever does not, does not."""

from __future__ import annotations

import pytest

from alonzo.edge.penalties import NEIGHBOURS, STRANGERS, Penalties
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal


def waits(
    penalties: Penalties, n: int, source: str = "192.0.2.1", key: str = "AKIA"
) -> list[float]:
    return [penalties.note(source, "", key, 0.0) for _ in range(n)]


def test_so_many_failures_are_free_and_then_each_wait_is_twice_the_last() -> None:
    found = waits(Penalties(), STRANGERS.free + 7)
    assert found == [0.0] * STRANGERS.free + [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_other_addresses_and_keys_do_not_pay_for_it() -> None:
    penalties = Penalties()
    waits(penalties, 50)
    assert penalties.note("192.0.2.2", "", "AKIB", 0.0) == 0.0
    # The same key from elsewhere, and another key from the same address, do.
    assert penalties.note("192.0.2.3", "", "AKIA", 0.0) > 0.0
    assert penalties.note("192.0.2.1", "", "AKIC", 0.0) > 0.0


def test_an_address_of_ipv6_is_its_network() -> None:
    penalties = Penalties()
    for n in range(STRANGERS.free):
        assert penalties.note(f"2001:db8::{n:x}", "", str(n), 0.0) == 0.0
    assert penalties.note("2001:db8::ffff", "", "other", 0.0) > 0.0
    assert penalties.note("2001:db8:0:1::1", "", "another", 0.0) == 0.0


@pytest.mark.parametrize(("source", "place"), [("127.0.0.1", ""), ("::1", ""), ("10.0.0.1", "s")])
def test_programs_on_this_machine_may_fail_more_often(source: str, place: str) -> None:
    penalties = Penalties()
    found = [penalties.note(source, place, "AKIA", 0.0) for _ in range(NEIGHBOURS.free + 9)]
    assert found[: NEIGHBOURS.free] == [0.0] * NEIGHBOURS.free
    assert found[-1] == NEIGHBOURS.wait_s_max


def test_sandboxes_are_told_apart_though_all_have_one_address() -> None:
    penalties = Penalties()
    for n in range(NEIGHBOURS.free + 1):
        penalties.note("127.0.0.1", "sandbox 1", str(n), 0.0)
    assert penalties.note("127.0.0.1", "sandbox 1", "x", 0.0) > 0.0
    assert penalties.note("127.0.0.1", "sandbox 2", "y", 0.0) == 0.0


def test_whoever_stops_is_forgiven_within_two_minutes_however_much_they_did() -> None:
    penalties = Penalties()
    waits(penalties, 1000)
    assert penalties.note("192.0.2.1", "", "AKIA", 30.0) == 2.0
    assert penalties.note("192.0.2.1", "", "AKIA", 151.0) == 0.0


def test_memory_has_an_end() -> None:
    penalties = Penalties(remembered_max=10)
    for n in range(1000):
        penalties.note(f"192.0.2.{n}", "", "x" * 100_000 + str(n), float(n))
    assert len(penalties) <= 10


@pytest.mark.parametrize(
    ("failure", "is_guess"),
    [
        (AuthFailure(Refusal.UNKNOWN_KEY), True),
        (AuthFailure(Refusal.MISMATCH), True),
        (AuthFailure(Refusal.MISMATCH, "Signature expired: a clock is wrong."), False),
        (AuthFailure(Refusal.MISSING), False),
        (AuthFailure(Refusal.EXPIRED_TOKEN), False),
        (AuthFailure(Refusal.INCOMPLETE), False),
    ],
)
def test_wrong_clocks_and_old_sessions_are_no_guesses(failure: AuthFailure, is_guess: bool) -> None:
    assert failure.is_guess is is_guess

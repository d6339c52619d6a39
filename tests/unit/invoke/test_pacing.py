"""How many events of a function are tried at once, after some were refused."""

from alonzo.invoke.pacing import FUNCTIONS_MAX, PAUSE_S_MAX, RUNS_PER_STEP, Pacing
from alonzo.lib.slots import share_slots

F = "a/r/f"


def started(times, slots=100):
    pacing = Pacing(slots)
    for _ in range(times):
        pacing.started(F)
    return pacing


def test_nobody_is_held_back_before_a_refusal():
    pacing = started(3)
    pacing.ran(F)
    assert pacing.ceilings(0.0) == {}
    assert pacing.pause_ends_at_s(0.0) is None


def test_as_many_are_tried_as_ran_when_the_others_were_refused():
    pacing = started(50)
    for _ in range(45):
        pacing.refused(F, 0.0)
    assert pacing.ceilings(0.0) == {F: 5}
    assert pacing.pause_ends_at_s(0.0) is None


def test_one_more_is_tried_after_every_few_runs_until_nothing_holds_it():
    pacing = started(3, slots=4)
    pacing.refused(F, 0.0)
    assert pacing.ceilings(0.0) == {F: 2}
    pacing.ran(F)
    pacing.ran(F)
    for ceiling in (3, 4):
        while pacing.ceilings(0.0) == {F: ceiling - 1}:
            pacing.started(F)
            pacing.ran(F)
    assert pacing.ceilings(0.0) == {}


def test_a_step_up_that_is_refused_is_taken_back():
    pacing = started(3)
    pacing.refused(F, 0.0)
    for _ in range(RUNS_PER_STEP):
        pacing.ran(F)
        pacing.started(F)
    assert pacing.ceilings(0.0) == {F: 3}
    pacing.started(F)
    pacing.refused(F, 0.0)
    assert pacing.ceilings(0.0) == {F: 2}


def test_a_function_of_which_none_runs_is_tried_once_after_pauses_that_double():
    pacing, now_s, pauses = Pacing(100), 0.0, []
    for _ in range(7):
        pacing.started(F)
        pacing.refused(F, now_s)
        assert pacing.ceilings(now_s) == {F: 0}
        end_s = pacing.pause_ends_at_s(now_s)
        pauses.append(end_s - now_s)
        now_s = end_s
        assert pacing.ceilings(now_s) == {F: 1}
    assert pauses == [1, 2, 4, 8, 16, 16, 16]
    assert pauses[-1] == PAUSE_S_MAX
    pacing.started(F)
    pacing.ran(F)
    pacing.started(F)
    pacing.refused(F, now_s)
    assert pacing.pause_ends_at_s(now_s) == now_s + 1, "a run ends the row"


def test_what_was_cut_says_nothing():
    pacing = started(2)
    pacing.cut(F)
    assert pacing.ceilings(0.0) == {}
    pacing.refused(F, 0.0)
    assert pacing.ceilings(0.0) == {F: 0}, "none of the function was left"


def test_memory_is_bounded():
    pacing = Pacing(100)
    for n in range(FUNCTIONS_MAX + 10):
        pacing.started(str(n))
        pacing.refused(str(n), 0.0)
    assert len(pacing.ceilings(0.0)) == FUNCTIONS_MAX
    assert "9" not in pacing.ceilings(0.0)


def test_a_ceiling_leaves_its_slots_to_others():
    assert share_slots(["f", "g"], {}, 100, {"f": 2}) == {"f": 2, "g": 49}
    assert share_slots(["f"], {"f": 2}, 100, {"f": 2}) == {}
    assert share_slots(["f"], {}, 100, {"f": 0}) == {}

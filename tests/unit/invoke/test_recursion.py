"""Loops of functions, by the lineage in the trace header."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.invoke.recursion import ENTRIES_MAX, check_recursion, continue_lineage
from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError

KEYS = [FunctionKey("123456789012", "eu-west-1", f"f{n}") for n in range(ENTRIES_MAX + 5)]
FORM = r"1:[0-9a-f]{8}:\d+(\|[0-9a-f]{8}:\d+)*"


def chain(keys):
    """How often each had run before, along a chain of calls."""
    header, counts = None, []
    for key in keys:
        lineage, before = continue_lineage(header, key)
        assert re.fullmatch(FORM, lineage)
        counts.append(before)
        header = f"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0;Lineage={lineage}"
    return counts


def test_a_function_that_calls_itself_is_counted():
    assert chain([KEYS[0]] * 4) == [0, 1, 2, 3]
    assert chain([KEYS[0], KEYS[1]] * 3) == [0, 0, 1, 1, 2, 2]


def test_the_seventeenth_run_is_stopped():
    check_recursion(15)
    with pytest.raises(AwsError) as caught:
        check_recursion(16)
    assert caught.value.code == "RecursiveInvocationException"


def test_a_long_chain_forgets_what_ran_long_ago():
    assert chain([*KEYS, KEYS[-1], KEYS[0]]) == [0] * len(KEYS) + [1, 0]


@pytest.mark.parametrize("header", [None, "", "nonsense", "Lineage=", "Lineage=1:xyz:1", "=;:|"])
def test_what_is_no_lineage_is_none(header):
    assert continue_lineage(header, KEYS[0])[1] == 0


def test_the_older_form_without_a_version_is_read():
    lineage, _ = continue_lineage(None, KEYS[0])
    assert continue_lineage(f"Root=1-2-3;Lineage={lineage.removeprefix('1:')}", KEYS[0])[1] == 1


@given(st.text(alphabet="Lineage=1:|;0af ", max_size=200))
def test_no_header_breaks_it(header):
    lineage, before = continue_lineage(header, KEYS[0])
    assert re.fullmatch(FORM, lineage)
    assert before >= 0

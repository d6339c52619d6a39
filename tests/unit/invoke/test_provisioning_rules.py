"""Which versions get how many, and what is said of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.environments.provisioned import Kept, Wish
from alonzo.invoke.provisioning_rules import Config, Share, judge, plan_wishes, split
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion
from alonzo.model.provisioned import Allocation, AllocationStatus

KEY = FunctionKey("123456789012", "eu-west-1", "f")
ONE = ServingVersion(KEY, "1", "g1", "python3.12", "m.h", "role", "00")
TWO = replace(ONE, version="2", generation="g2")


def config(*shares):
    return Config(KEY, "live", "r", sum(share.wanted for share in shares), shares)


def kept(wanted, allocated, *, complete=False, failure=None):
    return Kept(wanted, allocated, allocated, complete=complete, failure=failure)


@pytest.mark.parametrize(
    ("requested", "weight", "expected"),
    [
        (10, 0.0, (10, 0)),
        (10, 1.0, (0, 10)),
        (10, 0.25, (7, 3)),
        (10, 0.01, (9, 1)),
        (10, 0.99, (1, 9)),
        (1, 0.4, (1, 0)),
        (1, 0.6, (0, 1)),
        (2, 0.001, (1, 1)),
    ],
)
def test_the_weight_shares_the_environments(requested, weight, expected):
    assert split(requested, weight) == expected


@given(st.integers(1, 3000), st.floats(0, 1))
def test_nothing_is_lost_in_sharing(requested, weight):
    main, additional = split(requested, weight)
    assert (main + additional, min(main, additional) >= 0) == (requested, True)


def test_only_what_can_serve_is_wanted():
    configs = [
        config(Share(ONE, "Active", 3), Share(TWO, "Active", 1)),
        config(Share(None, "Pending", 5)),
    ]
    assert plan_wishes(configs) == [Wish(ONE, 3, "r"), Wish(TWO, 1, "r")]


def test_it_is_ready_once_every_version_has_all_of_its_own():
    both = config(Share(ONE, "Active", 3), Share(TWO, "Active", 1))
    facts = {"g1": kept(3, 3, complete=True), "g2": kept(1, 0)}
    assert judge(both, facts.__getitem__) == Allocation(3, 3)
    facts["g2"] = kept(1, 1, complete=True)
    assert judge(both, facts.__getitem__) == Allocation(4, 4, AllocationStatus.READY)


def test_what_the_pool_keeps_of_an_older_wish_is_not_ready():
    one = config(Share(ONE, "Active", 3))
    assert judge(one, lambda _: kept(2, 2, complete=True)).status == "IN_PROGRESS"


def test_a_version_that_cannot_serve_yet_is_waited_for():
    assert judge(config(Share(None, "Pending", 3)), {}.__getitem__) == Allocation()


def test_a_version_that_could_not_be_deployed_fails():
    failed = judge(config(Share(None, "Failed", 3)), {}.__getitem__)
    assert failed == Allocation(0, 0, AllocationStatus.FAILED, "FUNCTION_ERROR_INIT_FAILURE")


def test_one_failure_is_the_failure_of_all():
    both = config(Share(ONE, "Active", 3), Share(TWO, "Active", 1))
    facts = {"g1": kept(3, 3, complete=True), "g2": kept(1, 0, failure="Why.")}
    assert judge(both, facts.__getitem__) == Allocation(3, 3, AllocationStatus.FAILED, "Why.")

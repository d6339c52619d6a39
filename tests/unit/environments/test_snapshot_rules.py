"""SnapStart's decisions."""

from pathlib import Path

from alonzo.environments.inits import TIMEOUT, InitFailure
from alonzo.environments.package import Package
from alonzo.environments.snapshot_rules import (
    can_be_forked,
    restore_error,
    restore_variables,
    snapshot_variables,
)
from alonzo.environments.values import billed_ms
from alonzo.runtimes.base import Launch, Link

FORKED = Launch(
    ("/bin/x",), Link.FRAMED, parks=True, preloads="parked", start_variables=("PYTHON",)
)
EXECUTED = Launch(("/bin/x",), Link.HTTP)


def test_only_an_interpreter_alone_that_forks_is_forked():
    assert can_be_forked(Package(FORKED, Path("/code")), (), {"MINE": "1"})
    assert not can_be_forked(Package(EXECUTED, Path("/code")), (), {})
    assert not can_be_forked(Package(FORKED, Path("/code")), ("agent",), {})
    assert not can_be_forked(Package(FORKED, Path("/code")), (), {"PYTHONHASHSEED": "1"})


def test_what_is_to_be_restored_knows_nothing_that_ends_before_it():
    variables = {"AWS_ACCESS_KEY_ID": "k", "AWS_LAMBDA_LOG_STREAM_NAME": "s", "MINE": "1"}
    told = snapshot_variables(variables, api="127.0.0.1:9001", token="t")
    assert told == {
        "MINE": "1",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9001/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t",
    }
    assert restore_variables("u").keys() < told.keys()


def test_a_restore_that_fails_has_the_errors_of_the_service():
    assert restore_error(InitFailure(TIMEOUT)).code == "SnapStartTimeoutException"
    assert restore_error(InitFailure("Runtime.AfterRestoreError")).code == "SnapStartException"


def test_a_restore_is_rounded_up_by_itself():
    assert billed_ms(1.2, None, 3.1) == 2 + 4
    assert billed_ms(1.2, 3.1, None) == 5

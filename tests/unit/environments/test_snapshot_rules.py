"""SnapStart's decisions."""

from pathlib import Path

from alonzo.environments.inits import TIMEOUT, InitFailure
from alonzo.environments.package import Package
from alonzo.environments.snapshot_rules import (
    restore_error,
    restore_variables,
    template_variables,
    why_not,
)
from alonzo.environments.values import billed_ms
from alonzo.runtimes.base import Launch, Link

FORKED = Launch(("/bin/x",), Link.FRAMED, parks=True, preloads="parked")
EXECUTED = Launch(("/bin/x",), Link.HTTP)


def test_only_what_forks_has_a_snapshot():
    assert why_not(Package(FORKED, Path("/code")), ()) is None
    assert why_not(Package(EXECUTED, Path("/code")), ())


def test_extensions_keep_a_function_from_a_snapshot():
    assert why_not(Package(FORKED, Path("/code")), ("agent",))


def test_a_template_knows_nothing_that_ends_before_it():
    variables = {"AWS_ACCESS_KEY_ID": "k", "AWS_LAMBDA_LOG_STREAM_NAME": "s", "MINE": "1"}
    told = template_variables(variables, api="127.0.0.1:9001", token="t")
    assert told == {
        "MINE": "1",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9001/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t",
        "_ALONZO_SNAPSHOT": "1",
    }
    assert restore_variables("u").keys() < told.keys()


def test_a_restore_that_fails_has_the_errors_of_the_service():
    assert restore_error(InitFailure(TIMEOUT)).code == "SnapStartTimeoutException"
    assert restore_error(InitFailure("Runtime.AfterRestoreError")).code == "SnapStartException"


def test_a_restore_is_rounded_up_by_itself():
    assert billed_ms(1.2, None, 3.1) == 2 + 4
    assert billed_ms(1.2, 3.1, None) == 5

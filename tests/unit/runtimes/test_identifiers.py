from datetime import date

import botocore.session
import pytest

from alonzo.runtimes.identifiers import IDENTIFIERS, of_family

BY_NAME = {known.name: known for known in IDENTIFIERS}


def test_every_runtime_of_the_service_model_is_known():
    model = botocore.session.get_session().get_service_model("lambda")
    assert set(model.shape_for("Runtime").enum) == set(BY_NAME)
    assert len(BY_NAME) == len(IDENTIFIERS)


def test_dates_are_the_last_days_on_which_aws_accepts():
    python = BY_NAME["python3.12"]
    assert python.deprecated_on == date(2028, 10, 31)
    assert python.create_until == date(2028, 11, 29)
    assert python.update_until == date(2029, 1, 9)
    assert BY_NAME["nodejs26.x"].create_until is None


def test_nothing_is_refused_before_it_is_deprecated_or_updatable_shorter_than_creatable():
    for known in IDENTIFIERS:
        dates = (known.create_until, known.update_until)
        assert (None in dates) == (known.deprecated_on is None)
        if known.create_until and known.update_until:
            assert known.create_until <= known.update_until


@pytest.mark.parametrize(
    ("name", "may_create", "may_update"),
    [("go1.x", False, True), ("python3.7", False, True), ("nodejs12.x", False, False),
     ("python3.8", True, True), ("python3.14", True, True), ("nodejs24.x", True, True),
     ("provided.al2", True, True), ("provided.al2023", True, True)],
)  # fmt: skip
def test_late_in_2026_the_guide_says(name, may_create, may_update):
    today = date(2026, 11, 20)
    assert (BY_NAME[name].create_until >= today) is may_create
    assert (BY_NAME[name].update_until >= today) is may_update


def test_a_family_lists_its_own_oldest_first():
    names = [known.name for known in of_family("python")]
    assert names[0] == "python2.7"
    assert names.index("python3.9") < names.index("python3.10")
    assert of_family("cobol") == ()

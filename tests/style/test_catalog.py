"""The catalog and the service models: each operation is offered, or declined with a reason."""

import botocore.session
import pytest

from alonzo.control.unsupported import INVOKE_OPERATIONS
from alonzo.daemon import catalog
from alonzo.daemon.services import GROUPS
from alonzo.testing.service_tables import groups, tables

#: Operations that the edge hands straight to the data plane.
DATA_PLANE = {"lambda": INVOKE_OPERATIONS}
#: Where the page of a service lies, if not in its own folder.
PAGES = {"lambda": "src/alonzo/control/README.md"}

SERVICES = {service.name: service for service in catalog.SERVICES}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Operations, and what they need to be allowed, by service."""
    return tables(tmp_path_factory.mktemp("catalog"))


@pytest.fixture(scope="module")
def offered(both):
    return {name: set(each) | DATA_PLANE.get(name, set()) for name, each in both[0].items()}


@pytest.fixture(scope="module")
def models():
    session = botocore.session.Session()
    return {name: set(session.get_service_model(name).operation_names) for name in SERVICES}


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_is_offered_or_declined(name, models, offered):
    service = SERVICES[name]
    assert offered[name] | set(service.unsupported) == models[name]


@pytest.mark.parametrize("name", SERVICES)
def test_no_operation_is_both_offered_and_declined(name, offered):
    service = SERVICES[name]
    assert not offered[name] & set(service.unsupported)


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_says_what_its_caller_must_be_allowed(name, both):
    operations, access = both
    # The doors of invocations have their own way to the same decision.
    assert set(access[name]) == set(operations[name])


def test_every_service_is_always_there_or_in_a_group(both):
    assert set(both[0]) == set(SERVICES)
    assert set(GROUPS) < set(SERVICES)


def test_the_groups_of_services_are_those_that_have_their_operations(tmp_path):
    found = {
        service: name for name, each in groups(tmp_path).items() for service in each.operations()
    }
    assert found == GROUPS


@pytest.mark.parametrize("name", SERVICES)
def test_every_declined_operation_says_why_in_a_sentence(name):
    for operation, reason in SERVICES[name].unsupported.items():
        assert reason[:1].isupper(), operation
        assert reason.endswith("."), operation


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_its_page(name, files):
    assert PAGES.get(name, f"src/alonzo/services/{name}/README.md") in files

"""The catalog and the service models: each operation is offered, or declined with a reason."""

from types import SimpleNamespace

import botocore.session
import pytest

from alonzo.control.functions import OPERATIONS
from alonzo.control.unsupported import INVOKE_OPERATIONS
from alonzo.daemon import catalog
from alonzo.daemon.event_services import EventServices
from alonzo.daemon.messaging_services import MessagingServices
from alonzo.daemon.scheduling_services import SchedulingServices
from alonzo.daemon.secret_services import SecretServices
from alonzo.daemon.storage_services import StorageServices
from alonzo.daemon.watching_services import WatchingServices

#: Operations that the edge hands straight to the data plane.
DATA_PLANE = {"lambda": INVOKE_OPERATIONS}
#: Where the page of a service lies, if not in its own folder.
PAGES = {"lambda": "src/alonzo/control/README.md"}

SERVICES = {service.name: service for service in catalog.SERVICES}


class NoStore:
    def subscribe(self, topic, listener):
        return None


class NoCalls:
    trust = offers = is_offered = None


def parts_without_anything():
    control = SimpleNamespace(operations=OPERATIONS)
    metering = SimpleNamespace(writer=None, folder=None)
    return catalog.Parts(
        control,
        invoker=None,
        store=None,
        logs=None,
        metering=metering,
        identities=None,
        sessions=None,
        federation=None,
        secrets=SecretServices(NoStore(), b"s" * 32, invoker=None, clock=None, ids=None),
        messaging=MessagingServices(
            NoStore(), None, None, key_file=None, own_url=str, clock=None, ids=None
        ),
        watching=WatchingServices(
            NoStore(),
            SimpleNamespace(watch=lambda watchers: None),
            metering,
            None,
            clock=None,
            ids=None,
        ),
        events=EventServices(NoStore(), None, NoCalls(), None, clock=None, ids=None),
        scheduling=SchedulingServices(NoStore(), None, NoCalls(), clock=None, ids=None),
        storage=StorageServices(
            NoStore(), None, None, encryption=None, key=b"s" * 32, clock=None, ids=None
        ),
        calls=None,
        clock=None,
        ids=None,
    )


def offered(service):
    parts = parts_without_anything()
    return set(service.operations(parts)) | DATA_PLANE.get(service.name, set())


@pytest.fixture(scope="module")
def models():
    session = botocore.session.Session()
    return {name: set(session.get_service_model(name).operation_names) for name in SERVICES}


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_is_offered_or_declined(name, models):
    service = SERVICES[name]
    assert offered(service) | set(service.unsupported) == models[name]


@pytest.mark.parametrize("name", SERVICES)
def test_no_operation_is_both_offered_and_declined(name):
    service = SERVICES[name]
    assert not offered(service) & set(service.unsupported)


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_says_what_its_caller_must_be_allowed(name):
    parts = parts_without_anything()
    # The doors of invocations have their own way to the same decision.
    assert set(SERVICES[name].access(parts)) == set(SERVICES[name].operations(parts))


@pytest.mark.parametrize("name", SERVICES)
def test_every_declined_operation_says_why_in_a_sentence(name):
    for operation, reason in SERVICES[name].unsupported.items():
        assert reason[:1].isupper(), operation
        assert reason.endswith("."), operation


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_its_page(name, files):
    assert PAGES.get(name, f"src/alonzo/services/{name}/README.md") in files

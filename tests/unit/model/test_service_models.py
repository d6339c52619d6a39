"""Our service models say of every service what botocore's say."""

from collections.abc import Iterator

import botocore.model
import pytest
from botocore.loaders import Loader

from alonzo.daemon.catalog import SERVICES
from alonzo.edge.models import service_model
from alonzo.model import service_models

NAMES = [service.name for service in SERVICES]
OF_SHAPES = {
    "Shape": ("name", "type_name", "serialization", "metadata"),
    "StructureShape": (
        *("required_members", "event_stream_name", "error_code"),
        *("is_document_type", "is_tagged_union"),
    ),
    "StringShape": ("enum",),
}
PARTS = {"ListShape": ("member",), "MapShape": ("key", "value")}
OF_OPERATIONS = (
    *("name", "http", "deprecated", "request_compression"),
    *("has_event_stream_input", "has_event_stream_output"),
    *("has_streaming_input", "has_streaming_output"),
)
OF_SERVICES = (
    *("service_name", "metadata", "protocol", "api_version", "endpoint_prefix", "signing_name"),
    *("operation_names", "shape_names", "is_query_compatible"),
)


def theirs(name: str) -> botocore.model.ServiceModel:
    # As AWS wrote it: without what clients add.
    loader = Loader(include_default_extras=False)
    return botocore.model.ServiceModel(loader.load_service_model(name, "service-2"), name)


def said(value: object, names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(value, name) for name in names}


def differences(ours, theirs, seen: set[str]) -> Iterator[object]:
    kind = type(ours).__name__
    names = (*OF_SHAPES["Shape"], *OF_SHAPES.get(kind, ()))
    if kind != type(theirs).__name__ or said(ours, names) != said(theirs, names):
        yield ours, theirs
    if ours.name in seen:
        return
    seen.add(ours.name)
    for part in PARTS.get(kind, ()):
        yield from differences(getattr(ours, part), getattr(theirs, part), seen)
    if kind == "StructureShape":
        if list(ours.members) != list(theirs.members):
            yield ours.members, theirs.members
        for name, member in ours.members.items():
            yield from differences(member, theirs.members[name], seen)


@pytest.mark.parametrize("name", NAMES)
def test_every_shape_is_what_botocore_says(name):
    model, other = service_model(name), theirs(name)
    assert said(model, OF_SERVICES) == said(other, OF_SERVICES)
    seen: set[str] = set()
    for shape in model.shape_names:
        assert not list(differences(model.shape_for(shape), other.shape_for(shape), seen))
    assert [each.name for each in model.error_shapes] == [each.name for each in other.error_shapes]


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_is_what_botocore_says(name):
    model, other = service_model(name), theirs(name)
    for operation in map(model.operation_model, model.operation_names):
        same = other.operation_model(operation.name)
        assert said(operation, OF_OPERATIONS) == said(same, OF_OPERATIONS)
        for side in ("input_shape", "output_shape"):
            ours, botocores = getattr(operation, side), getattr(same, side)
            assert (ours is None) == (botocores is None)
            assert ours is None or not list(differences(ours, botocores, set()))
        names = [shape.name for shape in operation.error_shapes]
        assert names == [shape.name for shape in same.error_shapes]


def test_what_is_not_there_is_a_key_error():
    model = service_model("lambda")
    with pytest.raises(KeyError):
        model.operation_model("MakeCoffee")
    with pytest.raises(KeyError):
        model.shape_for("Coffee")
    with pytest.raises(KeyError):
        service_model("coffee")


def test_an_operation_is_the_same_object_every_time():
    model = service_model("sqs")
    assert model.operation_model("SendMessage") is model.operation_model("SendMessage")
    assert model.operation_model("SendMessage").service_model is model


def test_traits_of_a_reference_stand_over_those_of_the_shape():
    shapes = {
        "Name": {"type": "string", "min": 1},
        "Thing": {"type": "structure", "members": {"Name": {"shape": "Name", "min": 3}}},
    }
    model = service_models.ServiceModel({"metadata": {}, "shapes": shapes}, "example")
    thing = model.shape_for("Thing")
    assert isinstance(thing, service_models.StructureShape)
    assert thing.members["Name"].metadata == {"min": 3}
    assert model.shape_for("Name").metadata == {"min": 1}

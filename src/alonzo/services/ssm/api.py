"""AWS Systems Manager as a service: Parameter Store."""

from __future__ import annotations

from alonzo.lib.clock import Clock
from alonzo.model.ports.identity import Encryption
from alonzo.model.ports.operations import Operations
from alonzo.services.ssm.reading import ReadingOperations
from alonzo.services.ssm.values import Values
from alonzo.services.ssm.writing import WritingOperations
from alonzo.store.base import Store


def operations(*, store: Store, encryption: Encryption, clock: Clock) -> Operations:
    """The operations of Parameter Store. ``encryption`` is for SecureStrings."""
    values = Values(encryption)
    reading = ReadingOperations(store, values)
    writing = WritingOperations(store, values, clock)
    return {
        "AddTagsToResource": writing.add_tags_to_resource,
        "DeleteParameter": writing.delete_parameter,
        "DeleteParameters": writing.delete_parameters,
        "DescribeParameters": reading.describe_parameters,
        "GetParameter": reading.get_parameter,
        "GetParameterHistory": reading.get_parameter_history,
        "GetParameters": reading.get_parameters,
        "GetParametersByPath": reading.get_parameters_by_path,
        "LabelParameterVersion": writing.label_parameter_version,
        "ListTagsForResource": writing.list_tags_for_resource,
        "PutParameter": writing.put_parameter,
        "RemoveTagsFromResource": writing.remove_tags_from_resource,
        "UnlabelParameterVersion": writing.unlabel_parameter_version,
    }

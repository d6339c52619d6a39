"""botocore's service models, loaded when first asked for, and the few facts they leave out.

The models are the single source of truth for operations, shapes and constraints. Loading one
takes tens of milliseconds, so nothing is loaded at import. Facts below are those that AWS's wire
shows and the models do not carry; each is a table, and says where it was seen.
"""

from __future__ import annotations

import copy
import functools
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import botocore
import orjson

from alonzo.lib import heap
from alonzo.model.service_models import ServiceModel

#: botocore's own models. Nothing of its code is needed, which takes its time and 4.5 MiB.
_DATA = Path(botocore.__file__).parent / "data"

#: The metadata of every model are within so much of its beginning.
_HEAD_BYTES = 8192

#: Code of a framework validation error where it is not ``ValidationException`` (which the query
#: protocol calls ``ValidationError``). *Observed* in CloudWatch Logs' answers.
VALIDATION_CODES: Mapping[str, str] = {"logs": "InvalidParameterException"}

#: Shapes whose values a service judges itself, with an error of its own. *Recorded*: Lambda answers
#: an unknown runtime with InvalidParameterValueException.
#: SQS calls unknown attributes by their names.
SELF_CHECKED_SHAPES: Mapping[str, frozenset[str]] = {
    "lambda": frozenset({"Runtime"}),
    "sqs": frozenset(
        {
            "MessageSystemAttributeName",
            "MessageSystemAttributeNameForSends",
            "QueueAttributeName",
        }
    ),
}

#: Code and text for a parameter that is missing, of services that judge that themselves.
#: Source: AWS common errors, MissingParameter; *recorded* from SQS.
MISSING_PARAMETER: Mapping[str, tuple[str, str]] = {
    "sqs": ("MissingRequiredParameterException", "The request must contain the parameter {name}."),
}

#: The parameter that the path of a request stands for in the query protocol, where it is not
#: given. Source: SQS developer guide, making query API requests.
PATH_PARAMETERS: Mapping[str, str] = {"sqs": "QueueUrl"}

#: Namespace before ``#`` in ``__type``, where a service's answers have one. *Observed.*
ERROR_NAMESPACES: Mapping[str, str] = {
    "cloudwatch": "com.amazonaws.cloudwatch.v2010_08_01",
    "dynamodb": "com.amazonaws.dynamodb.v20120810",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810",
    "sqs": "com.amazonaws.sqs",
}

#: Namespace of XML answers of services whose model no longer names the query protocol.
QUERY_NAMESPACES: Mapping[str, str] = {"sqs": "http://queue.amazonaws.com/doc/2012-11-05/"}

#: Codes that clients of the former query protocol know, by service and error shape.
#: Source: SQS API reference, error names of the AWS query protocol.
QUERY_ERROR_CODES: Mapping[str, Mapping[str, str]] = {
    "sqs": {
        "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong",
        "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
        "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
        "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
        "PurgeQueueInProgress": "AWS.SimpleQueueService.PurgeQueueInProgress",
        "QueueDeletedRecently": "AWS.SimpleQueueService.QueueDeletedRecently",
        "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
        "QueueNameExists": "QueueAlreadyExists",
        "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
        # No shapes: errors that are common to all of AWS, as the json protocol calls them here.
        "AccessDeniedException": "AccessDenied",
        "InvalidParameterValueException": "InvalidParameterValue",
        "MissingRequiredParameterException": "MissingParameter",
        **{
            f"Kms{name}": f"KMS.{code}"
            for name, code in {
                "AccessDenied": "AccessDeniedException",
                "Disabled": "DisabledException",
                "InvalidKeyUsage": "InvalidKeyUsageException",
                "InvalidState": "InvalidStateException",
                "NotFound": "NotFoundException",
                "OptInRequired": "OptInRequired",
                "Throttled": "ThrottlingException",
            }.items()
        },
    }
}

#: Texts of errors that are others in the query protocol. *Recorded* from SQS.
QUERY_ERROR_TEXTS: Mapping[str, Mapping[str, str]] = {
    "sqs": {
        "QueueDoesNotExist": "The specified queue does not exist for this wsdl version.",
    }
}


#: Names of the query protocol that a model has dropped, by service: for a list or map shape those
#: of its entries' parts, for a structure those of its members. Source: SQS API reference.
QUERY_NAMES: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "sqs": {
        "AWSAccountIdList": {"member": "AWSAccountId"},
        "ActionNameList": {"member": "ActionName"},
        "AttributeNameList": {"member": "AttributeName"},
        "BatchResultErrorEntryList": {"member": "BatchResultErrorEntry"},
        "BinaryList": {"member": "BinaryListValue"},
        "ChangeMessageVisibilityBatchRequestEntryList": {
            "member": "ChangeMessageVisibilityBatchRequestEntry"
        },
        "ChangeMessageVisibilityBatchResultEntryList": {
            "member": "ChangeMessageVisibilityBatchResultEntry"
        },
        "DeleteMessageBatchRequestEntryList": {"member": "DeleteMessageBatchRequestEntry"},
        "DeleteMessageBatchResultEntryList": {"member": "DeleteMessageBatchResultEntry"},
        "ListMessageMoveTasksResultEntryList": {"member": "ListMessageMoveTasksResultEntry"},
        "MessageAttributeNameList": {"member": "MessageAttributeName"},
        "MessageList": {"member": "Message"},
        "MessageSystemAttributeList": {"member": "MessageSystemAttributeName"},
        "QueueUrlList": {"member": "QueueUrl"},
        "SendMessageBatchRequestEntryList": {"member": "SendMessageBatchRequestEntry"},
        "SendMessageBatchResultEntryList": {"member": "SendMessageBatchResultEntry"},
        "StringList": {"member": "StringListValue"},
        "TagKeyList": {"member": "TagKey"},
        "MessageBodyAttributeMap": {"key": "Name", "value": "Value"},
        "MessageBodySystemAttributeMap": {"key": "Name", "value": "Value"},
        "MessageSystemAttributeMap": {"key": "Name", "value": "Value"},
        "QueueAttributeMap": {"key": "Name", "value": "Value"},
        "TagMap": {"key": "Key", "value": "Value"},
        "CreateQueueRequest": {"Attributes": "Attribute", "tags": "Tag"},
        "GetQueueAttributesResult": {"Attributes": "Attribute"},
        "ListQueueTagsResult": {"Tags": "Tag"},
        "Message": {"Attributes": "Attribute", "MessageAttributes": "MessageAttribute"},
        "SendMessageBatchRequestEntry": {
            "MessageAttributes": "MessageAttribute",
            "MessageSystemAttributes": "MessageSystemAttribute",
        },
        "SendMessageRequest": {
            "MessageAttributes": "MessageAttribute",
            "MessageSystemAttributes": "MessageSystemAttribute",
        },
        "SetQueueAttributesRequest": {"Attributes": "Attribute"},
        "TagQueueRequest": {"Tags": "Tag"},
    }
}


@functools.cache
def service_model(name: str) -> ServiceModel:
    """The newest model of a service, by botocore's name for it (``lambda``, ``stepfunctions``).

    The same object every time. Documentation is dropped: it is most of a model's memory.

    Raises:
        KeyError: no such service.
    """
    return ServiceModel(_description(name), name)


@functools.cache
def protocol_model(name: str, protocol: str) -> ServiceModel:
    """The model of a service as one of its protocols has it; ``protocol`` is then its protocol.

    Each protocol's model has operations of its own, so an operation tells how it was called.

    Raises:
        KeyError: no such service.
    """
    description = _description(name)
    if description["metadata"]["protocol"] == protocol:
        return service_model(name)
    description = {**description, "metadata": {**description["metadata"], "protocol": protocol}}
    if protocol == "query" and name in QUERY_NAMES:
        description["shapes"] = copy.deepcopy(dict(description["shapes"]))
        _restore_names(description["shapes"], QUERY_NAMES[name])
    return ServiceModel(description, name)


def _restore_names(shapes: dict[str, Any], names: Mapping[str, Mapping[str, str]]) -> None:
    for shape_name, parts in names.items():
        shape = shapes[shape_name]
        for part, wire_name in parts.items():
            (shape if part in shape else shape["members"])[part]["locationName"] = wire_name


@functools.cache
def _description(name: str) -> dict[str, Any]:
    """A model whose shapes and operations are read when somebody looks at one of them.

    Most services are not called most of the time, and what a request may be for is told by the
    metadata alone. All of ours together would take 10 MiB and 60 ms.
    """
    path = _path(name)
    with _opened(path) as file:
        head = file.read(_HEAD_BYTES).decode()
    at = head.index("{", head.index('"metadata"'))
    metadata, _ = json.JSONDecoder().raw_decode(head, at)
    return {
        "metadata": metadata,
        "operations": _Part(path, "operations"),
        "shapes": _Part(path, "shapes"),
    }


class _Part(Mapping[str, Any]):
    """One part of the model in a file. Each entry is made when somebody looks, and not kept."""

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key

    @property
    def _entries(self) -> Mapping[str, bytes]:
        return _read(self._path)[self._key]

    def __getitem__(self, name: str) -> Any:
        return orjson.loads(self._entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@functools.cache
def _read(path: Path) -> dict[str, dict[str, bytes]]:
    """Operations and shapes by name, as JSON: that takes a third of what objects take."""
    with _opened(path) as file:
        text = file.read().decode()
    parts: dict[str, dict[str, bytes]] = {"operations": {}, "shapes": {}}
    at = 0
    while (key := _KEY.match(text, at)) is not None:
        if key[1] in parts:
            at = _read_part(text, key.end(), parts[key[1]])
        else:
            _, at = _DECODER.raw_decode(text, key.end())
    del text
    heap.give_back()
    return parts


def _read_part(text: str, at: int, entries: dict[str, bytes]) -> int:
    """Read the entries of the object there, one at a time; answers where it ends.

    All at once they are megabytes for a moment, which stay with the process.
    """
    while (key := _KEY.match(text, at)) is not None:
        entry, at = _DECODER.raw_decode(text, key.end())
        # As long as it need be, which what orjson writes is not: that takes 1 KiB at least.
        entries[key[1]] = json.dumps(entry, separators=(",", ":")).encode()
    return text.index("}", at) + 1


def _without_documentation(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without its text. A *member* named ``documentation`` is a mapping, and stays."""
    return {
        key: value
        for key, value in pairs
        if not (key == "documentation" and isinstance(value, str))
    }


#: The next key of an object, and what stands around it. No key of a model has an escape.
_KEY = re.compile(r'[\s{,]*"([^"\\]*)"\s*:\s*')
_DECODER = json.JSONDecoder(object_pairs_hook=_without_documentation)


def _path(name: str) -> Path:
    # Only the models that botocore ships: one in the user's home must not change what we serve.
    # Versions are dates, so the last is the newest.
    found = max((_DATA / name).glob("*/service-2.json*"), default=None)
    if found is None:
        raise KeyError(name)
    return found.parent / "service-2.json"


def _opened(path: Path) -> IO[bytes]:
    """The file, or what is packed in the one beside it."""
    packed = path.with_suffix(".json.gz")
    return cast("IO[bytes]", gzip.open(packed)) if packed.exists() else path.open("rb")

"""Hides secrets in what operations take and give, before anything of it is kept.

The service models mark secrets with the trait ``sensitive``. A table adds what they forget, and no
blob is kept at all. Only what a model knows gets through, under CloudTrail's names: the model's
with a small first letter. Compiled once for each operation; no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, cast

from alonzo.lib.clock import iso_ms
from alonzo.model.service_models import ListShape, MapShape, ServiceModel, Shape, StructureShape

#: What stands in a record where a secret was. Source: CloudTrail's own records.
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

#: Members that are secret, or may be, in every service: names in lower case.
_EVERYWHERE = frozenset(
    {
        "apikey",
        "authorizationtoken",
        "authparameters",
        "clientsecret",
        "credentialspassword",
        "idtoken",
        "newpassword",
        "oldpassword",
        "password",
        "plaintext",
        "privatekey",
        "refreshtoken",
        "secretaccesskey",
        "secretbinary",
        "secrethash",
        "secretkey",
        "secretstring",
        "sessiontoken",
        "tokencode",
        "zipfile",
    }
)

#: Members that models do not mark, by service: names in lower case. Contents of messages, items,
#: logs and objects are data and not for an audit log; presigned addresses are as good as keys.
FORGOTTEN: Mapping[str, frozenset[str]] = {
    "lambda": frozenset(
        {
            "clientcontext",
            "error",
            "eventsourcetoken",
            "input",
            "inputpayload",
            "invokeargs",
            "location",
            "logresult",
            "payload",
            "result",
            "variables",
        }
    ),
    "sqs": frozenset(
        {
            "body",
            "messageattributes",
            "messagebody",
            "messagesystemattributes",
            "receipthandle",
        }
    ),
    "sns": frozenset(
        {
            "endpoint",
            "message",
            "messageattributes",
            "phonenumber",
            "platformcredential",
            "platformprincipal",
            "subject",
            "token",
        }
    ),
    "s3": frozenset(
        {"body", "expression", "ssecustomerkey", "copysourcessecustomerkey", "metadata"}
    ),
    "dynamodb": frozenset({"statement"}),
    "dynamodbstreams": frozenset({"records"}),
    "kinesis": frozenset({"data", "explicithashkey", "partitionkey", "records"}),
    "events": frozenset({"detail", "event", "input", "inputtemplate", "bodyparameters"}),
    "scheduler": frozenset({"input"}),
    "pipes": frozenset({"inputtemplate"}),
    "stepfunctions": frozenset({"cause", "input", "output", "tasktoken", "variables"}),
    "logs": frozenset(
        {"events", "logeventmessages", "logevents", "message", "messages", "results"}
    ),
    "cloudwatch": frozenset({"metricdata"}),
    "kms": frozenset(
        {"granttoken", "granttokens", "keystorepassword", "message", "rawsecretaccesskey"}
    ),
    "ssm": frozenset({"tokenvalue"}),
    "secretsmanager": frozenset({"randompassword", "rotationtoken"}),
    "sts": frozenset({"decodedmessage", "encodedmessage", "samlassertion", "webidentitytoken"}),
    "iam": frozenset(
        {
            "authenticationcode1",
            "authenticationcode2",
            "base32stringseed",
            "privatekey",
            "servicepassword",
            "servicecredentialsecret",
        }
    ),
    "cloudformation": frozenset({"parametervalue", "templatebody"}),
    "apigateway": frozenset({"value"}),
}

#: Shapes that models do not mark, by service.
FORGOTTEN_SHAPES: Mapping[str, frozenset[str]] = {
    "dynamodb": frozenset({"AttributeValue"}),
    "dynamodbstreams": frozenset({"AttributeValue"}),
}

_NONE: frozenset[str] = frozenset()

#: How deep texts are looked for in a secret, and how many of them are.
_DEPTH_MAX = 32

#: More of a message is not looked at, and not kept.
_MESSAGE_CHARS_MAX = 64 * 1024

#: So much of a longer secret is looked for where the whole is not found.
_CUT_CHARS = 64

#: The end of the year 9999, the last that has a date.
_EPOCH_S_MAX = 253_402_300_800
_SECRETS_MAX = 1000

#: A value as it may be kept. The list, if there is one, takes the texts that were hidden.
Mask = Callable[[Any, list[str] | None], Any]


class Masks:
    """The masks of all operations. ``models`` gives a service's model by botocore's name."""

    def __init__(self, models: Callable[[str], ServiceModel]) -> None:
        self._models = models
        self._shapes: dict[tuple[str, str], Mask] = {}
        self._operations: dict[tuple[str, str], tuple[Mask, Mask]] = {}

    def of(self, service: str, operation: str) -> tuple[Mask, Mask]:
        """The masks for an operation's input and its output."""
        key = service, operation
        found = self._operations.get(key)
        if found is None:
            model = self._models(service).operation_model(operation)
            found = self._operations[key] = (
                self._top(service, model.input_shape),
                self._top(service, model.output_shape),
            )
        return found

    def _top(self, service: str, shape: Shape | None) -> Mask:
        return _nothing if shape is None else self._mask(service, shape)

    def _mask(self, service: str, shape: Shape) -> Mask:
        if _is_secret(shape) or shape.name in FORGOTTEN_SHAPES.get(service, _NONE):
            return _hide
        if isinstance(shape, StructureShape | ListShape | MapShape):
            key = service, shape.name
            if key not in self._shapes:
                # A shape that holds itself finds its mask once it is compiled.
                self._shapes[key] = lambda value, hidden: self._shapes[key](value, hidden)
                self._shapes[key] = self._compile(service, shape)
            return self._shapes[key]
        return _moment if shape.type_name == "timestamp" else _keep

    def _compile(self, service: str, shape: StructureShape | ListShape | MapShape) -> Mask:
        forgotten = FORGOTTEN.get(service, _NONE) | _EVERYWHERE
        if isinstance(shape, ListShape):
            return _list_mask(self._mask(service, shape.member))
        if isinstance(shape, MapShape):
            if _is_secret(shape.key):
                return _hide
            return _map_mask(self._mask(service, shape.value), forgotten)
        members = {
            name: (
                _small(name),
                _hide if name.lower() in forgotten else self._mask(service, member),
            )
            for name, member in shape.members.items()
        }
        return _structure_mask(members)


def _is_secret(shape: Shape) -> bool:
    metadata = cast("Mapping[str, Any]", shape.metadata)
    serialization = cast("Mapping[str, Any]", shape.serialization)
    return bool(
        metadata.get("sensitive")
        or shape.type_name == "blob"
        or metadata.get("document")
        or serialization.get("eventstream")
        or getattr(shape, "is_eventstream", False)
    )


def _small(name: str) -> str:
    """``FunctionName`` as CloudTrail spells it: ``functionName``."""
    return name[:1].lower() + name[1:]


def _keep(value: Any, hidden: list[str] | None) -> Any:
    return value if isinstance(value, str | int | float | bool) else _hide(value, hidden)


def _moment(value: Any, hidden: list[str] | None) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int | float) and 0 <= value < _EPOCH_S_MAX:
        return iso_ms(value)
    return _keep(value, hidden)


def _nothing(value: Any, hidden: list[str] | None) -> Any:
    return None


def _hide(value: Any, hidden: list[str] | None) -> Any:
    if hidden is not None:
        hidden += islice(_texts(value, _DEPTH_MAX), max(0, _SECRETS_MAX - len(hidden)))
    return HIDDEN


def _texts(value: Any, depth: int) -> Iterator[str]:
    """Every text in a value, keys of maps included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif depth and isinstance(value, Mapping):
        for name, item in cast("Mapping[Any, Any]", value).items():
            yield str(name)
            yield from _texts(item, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for item in cast("list[Any]", value):
            yield from _texts(item, depth - 1)


def _list_mask(member: Mask) -> Mask:
    def mask(value: Any, hidden: list[str] | None) -> Any:
        if not isinstance(value, list | tuple):
            return _hide(value, hidden)
        return [member(item, hidden) for item in cast("list[Any]", value) if item is not None]

    return mask


def _map_mask(member: Mask, forgotten: frozenset[str]) -> Mask:
    def mask(value: Any, hidden: list[str] | None) -> Any:
        if not isinstance(value, Mapping):
            return _hide(value, hidden)
        entries = cast("Mapping[Any, Any]", value)
        return {
            str(name): (_hide if str(name).lower() in forgotten else member)(item, hidden)
            for name, item in entries.items()
            if item is not None
        }

    return mask


def _structure_mask(members: Mapping[str, tuple[str, Mask]]) -> Mask:
    def mask(value: Any, hidden: list[str] | None) -> Any:
        if not isinstance(value, Mapping):
            return _hide(value, hidden)
        kept: dict[str, Any] = {}
        for name, item in cast("Mapping[str, Any]", value).items():
            known = members.get(name)
            if known is not None and item is not None:
                kept[known[0]] = known[1](item, hidden)
        return kept

    return mask


def without(text: str, hidden: list[str]) -> str:
    """A text, with what was hidden taken out of it too; error messages repeat what was sent."""
    text = text[:_MESSAGE_CHARS_MAX]
    for secret in sorted(hidden, key=len, reverse=True):
        # Shorter ones say nothing, and would tear the text to pieces.
        if len(secret) > 3:
            text = text.replace(secret, HIDDEN)
        # Messages cut long values short.
        start = secret[:_CUT_CHARS]
        while len(secret) > _CUT_CHARS and (at := text.find(start)) >= 0:
            end = at + _CUT_CHARS
            while text[end : end + 1] == secret[end - at : end - at + 1] != "":
                end += 1
            text = text[:at] + HIDDEN + text[end:]
    return text

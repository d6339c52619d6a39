"""Every constraint anywhere in a request's document: bounds, patterns, enums, types, null.

``test_boundaries.py`` does the same for the members at the top. The cases are read from the service
model; a document holds one path and nothing beside it, so it is refused for other reasons too, and
only what is said of the path counts.
"""

import json
import re
import socket
from collections import Counter
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from alonzo.control.functions import OPERATIONS
from alonzo.testing.clients import botocore_session

REGION = "eu-west-2"
ACCOUNT = "000000000000"
MODEL = botocore_session().get_service_model("lambda")
LENGTH_MAX = 20_000
NUMBERS = ("integer", "long", "float", "double")
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:"

#: What stands in paths.
PATH = {
    "FunctionName": "boundaries",
    "LayerName": "boundaries",
    "VersionNumber": 1,
    "UUID": "00000000-0000-4000-8000-000000000000",
    "Name": "none",
    "StatementId": "none",
    "Resource": f"{ARN}function:boundaries",
    "ResourceArn": f"{ARN}function:boundaries",
    "CodeSigningConfigArn": f"{ARN}code-signing-config:csc-" + "0" * 17,
}
#: Texts among which there is one that fits any pattern of the model, and one that does not.
TEXTS = [
    "a", "1", "x" * 12, "0" * 12, "*", f"{ARN}function:f", f"{ARN}layer:l", f"{ARN}layer:l:1",
    f"arn:aws:iam::{ACCOUNT}:role/r", "lambda:InvokeFunction", "lambda:GetLayerVersion",
    f"{ARN}code-signing-config:csc-" + "0" * 17, f"arn:aws:lambda:{REGION}::runtime:abc",
    f"{ARN}capacity-provider:c", f"{ARN}runtime/r", "subnet-1", "sg-1", "/mnt/a", "$LATEST",
    "o-" + "a" * 10,
    f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-" + "0" * 17, "ALL", "prod",
    "\n", "!", " ", "\u00e4", "a b", "arn:", "", "$", "//",
]  # fmt: skip
#: What no codec takes for the type.
WRONG_TYPE = {
    "string": {}, "integer": "x", "long": "x", "double": "x", "float": "x", "boolean": "x",
    "list": "x", "structure": "x", "map": "x", "blob": {}, "timestamp": {},
}  # fmt: skip


def wrapped(trail, value):
    """The document that has nothing but ``value`` at the end of the trail."""
    for kind, name in reversed(trail):
        value = {"member": {name: value}, "item": [value], "value": {"Key1": value}}[kind]
    return value


def dotted(trail):
    """The trail as messages spell it."""
    words = []
    for kind, name in trail:
        if kind == "member":
            words.append(name[:1].lower() + name[1:])
        else:
            words += ["1", "member"] if kind == "item" else ["Key1", "member"]
    return ".".join(words)


def leaves(shape, trail=(), seen=()):
    """Every value that a document may hold, with the way to it."""
    if shape.name in seen:
        return
    if trail:
        yield shape, trail
    if shape.type_name == "structure":
        for name, inner in shape.members.items():
            if "location" not in inner.serialization:
                yield from leaves(inner, (*trail, ("member", name)), (*seen, shape.name))
    elif shape.type_name == "list" and shape.member.type_name == "structure":
        yield from leaves(shape.member, (*trail, ("item", "")), (*seen, shape.name))


def good(shape):
    """Something that the shape takes."""
    if shape.type_name == "structure":
        return {}
    if shape.type_name == "list":
        return []
    facts = shape.metadata
    if "enum" in facts:
        return facts["enum"][0]
    return next(text for text in fitting(shape) if matches(shape, text))


def fitting(shape):
    most = shape.metadata.get("max", LENGTH_MAX)
    return [text for text in TEXTS if shape.metadata.get("min", 0) <= len(text) <= most]


def matches(shape, text):
    pattern = shape.metadata.get("pattern", r"[\s\S]*").replace("-_", r"\-_")
    return re.fullmatch(pattern, text) is not None


def sized(shape, size):
    if shape.type_name in NUMBERS:
        return size
    if shape.type_name == "list":
        return [good(shape.member)] * size
    if shape.type_name == "map":
        return {f"K{number}": good(shape.value) for number in range(size)}
    return "x" * size


def bounds(shape):
    """Values on the bounds and beyond them, and what is said of them; None where nothing is."""
    facts = shape.metadata
    number = shape.type_name in NUMBERS
    noun = "value" if number else "length"
    least, most = facts.get("min"), facts.get("max")
    if most is not None and (number or most <= LENGTH_MAX):
        yield sized(shape, most), None, noun
        yield sized(shape, most + 1), f"have {noun} less than or equal to {most}", noun
    if least is not None and (number or least > 0):
        yield sized(shape, least), None, noun
        yield sized(shape, least - 1), f"have {noun} greater than or equal to {least}", noun
    if "enum" in facts and shape.name != "Runtime":
        yield facts["enum"][-1], None, "enum value"
        yield "NoSuch", "satisfy enum value set: [", "enum value"
    if "pattern" in facts and r"\p" not in facts["pattern"]:
        for wanted, said in ((True, None), (False, "satisfy regular expression pattern: ")):
            texts = [text for text in fitting(shape) if matches(shape, text) is wanted]
            if texts:
                yield texts[0], said, "regular expression"


class Client:
    """Sends documents as they are, signed."""

    def __init__(self, platform):
        self._endpoint = platform.endpoint
        # botocore's own clients have it so: head and body leave in two pieces.
        no_delay = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._session = URLLib3Session(socket_options=[no_delay])
        self._auth = SigV4Auth(Credentials(*platform.root_key()), "lambda", REGION)

    def send(self, operation, body=None, **replaced):
        """Status, error code and message."""
        http = operation.http
        path = http["requestUri"]
        query = {}
        for name, shape in operation.input_shape.members.items() if operation.input_shape else ():
            place = shape.serialization.get("location")
            wire = shape.serialization.get("name", name)
            value = replaced.get(name, PATH.get(name))
            if place == "uri":
                path = path.replace(f"{{{wire}}}", quote(str(value), safe=""))
            elif place == "querystring" and name in replaced:
                query[wire] = value
        if query:
            pairs = "&".join(
                f"{name}={quote(str(value), safe='')}" for name, value in query.items()
            )
            path += ("&" if "?" in path else "?") + pairs
        request = AWSRequest(
            http["method"],
            self._endpoint + path,
            {"Content-Type": "application/json"},
            None if body is None else json.dumps(body).encode(),
        )
        self._auth.add_auth(request)
        answer = self._session.send(request.prepare())
        text = answer.content
        error = json.loads(text) if text and answer.status_code >= 400 else {}
        code = answer.headers.get("x-amzn-errortype", "")
        return answer.status_code, code, error.get("message") or error.get("Message") or ""

    def close(self):
        self._session.close()


@pytest.fixture(scope="module")
def client(platform):
    made = Client(platform)
    yield made
    made.close()


def said_of(message, path):
    """What a message says of one path."""
    start = f"at '{path}' failed to satisfy constraint: "
    return [part for part in message.split("; ") if start in part]


WITH_DOCUMENT = sorted(
    name
    for name in OPERATIONS
    if (shape := MODEL.operation_model(name).input_shape) is not None and any(leaves(shape))
)


@pytest.mark.parametrize("name", WITH_DOCUMENT)
def test_every_constraint_of_a_document_is_where_the_model_says(client, name):
    operation = MODEL.operation_model(name)
    wrong = []
    done = Counter()
    for shape, trail in leaves(operation.input_shape):
        path = dotted(trail)
        for value, said, subject in bounds(shape):
            status, code, message = client.send(operation, wrapped(trail, value))
            about = said_of(message, path)
            if said is None:
                fits = not any(f" {subject} " in part for part in about)
            else:
                fits = (status, code) == (400, "ValidationException")
                fits = fits and any(f"Member must {said}" in part for part in about)
            done[said is None] += 1
            if not fits:
                wrong.append((path, str(value)[:60], said, code, message[:300]))
    assert not wrong, wrong
    assert done[True] >= done[False] // 2


@pytest.mark.parametrize("name", WITH_DOCUMENT)
def test_a_member_of_the_wrong_type_is_no_document(client, name):
    operation = MODEL.operation_model(name)
    wrong = []
    for shape, trail in leaves(operation.input_shape):
        value = WRONG_TYPE[shape.type_name]
        status, code, message = client.send(operation, wrapped(trail, value))
        if (status, code) != (400, "SerializationException"):
            wrong.append((dotted(trail), shape.type_name, status, code, message[:200]))
    assert not wrong, wrong


@pytest.mark.parametrize("name", WITH_DOCUMENT)
def test_null_is_a_missing_member_and_an_unknown_one_is_none(client, name):
    operation = MODEL.operation_model(name)
    empty = client.send(operation, {})
    assert client.send(operation, {"NoSuchMember": {"at": ["all"]}})[1:] == empty[1:]
    wrong = []
    for _shape, trail in leaves(operation.input_shape):
        if trail[-1][0] != "member":
            continue
        without = client.send(operation, wrapped((*trail[:-1], ("member", "NoSuch")), None))
        with_null = client.send(operation, wrapped(trail, None))
        if without[1:] != with_null[1:]:
            wrong.append((dotted(trail), without, with_null))
    assert not wrong, wrong


def required():
    """Every structure with required members, anywhere in a document."""
    for name in WITH_DOCUMENT:
        shape = MODEL.operation_model(name).input_shape
        for inner, trail in (*leaves(shape), (shape, ())):
            if inner.type_name == "structure":
                for member in inner.required_members:
                    if "location" not in inner.members[member].serialization:
                        yield name, trail, member


@pytest.mark.parametrize("name", sorted({name for name, _, _ in required()}))
def test_a_required_member_must_not_be_null(client, name):
    operation = MODEL.operation_model(name)
    for each, trail, member in required():
        if each != name:
            continue
        path = dotted((*trail, ("member", member)))
        text = f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
        for document in ({}, {member: None}):
            status, code, message = client.send(operation, wrapped(trail, document))
            assert (status, code) == (400, "ValidationException")
            assert text in message.split(": ", 1)[1].split("; ")


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_what_stands_in_the_path_is_checked_like_the_rest(client, name):
    operation = MODEL.operation_model(name)
    for member, inner in (
        {} if not operation.input_shape else operation.input_shape.members
    ).items():
        place = inner.serialization.get("location")
        if place not in ("uri", "querystring") or inner.type_name != "string":
            continue
        for value, said, _ in bounds(inner):
            if said is None or not value:
                continue
            status, code, message = client.send(operation, **{member: value})
            assert (status, code) == (400, "ValidationException"), message
            about = said_of(message, member[:1].lower() + member[1:])
            assert any(f"Member must {said}" in part for part in about), message


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_number_in_the_query_is_a_number(client, name):
    shape = MODEL.operation_model(name).input_shape
    for member, inner in ({} if shape is None else shape.members).items():
        if inner.serialization.get("location") == "querystring" and inner.type_name in NUMBERS:
            for value in ("x", "1.5", "", "99999999999999999999"):
                status, code, _ = client.send(MODEL.operation_model(name), **{member: value})
                assert status == 400
                assert code in ("SerializationException", "ValidationException")

"""Every constrained member of every operation of Lambda's that there is, on and beyond its bounds.

The cases are read from the service model. A request says nothing but the member in question and
what its path needs, so it is refused for other reasons too; only what is said of the member counts.
"""

import botocore.config
import pytest
from botocore.exceptions import ClientError

from alonzo.control.functions import OPERATIONS
from alonzo.testing.clients import botocore_session, make_client

MODEL = botocore_session().get_service_model("lambda")
#: Longer values are left out: they test the wire, not the rule.
LENGTH_MAX = 20_000

#: What stands in paths.
PATH = {
    "FunctionName": "boundaries",
    "LayerName": "boundaries",
    "VersionNumber": 1,
    "UUID": "00000000-0000-4000-8000-000000000000",
    "Name": "none",
    "StatementId": "none",
    "Resource": "arn:aws:lambda:us-east-1:000000000000:function:boundaries",
    "ResourceArn": "arn:aws:lambda:us-east-1:000000000000:function:boundaries",
    "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-"
    + "0" * 17,
}


def sized(shape, size):
    if shape.type_name in ("integer", "long"):
        return size
    if shape.type_name == "list":
        return [{} if shape.member.type_name == "structure" else "xx"] * size
    return "x" * size


def cases():
    """Operation, member, value, and what is said of it; None where nothing may be."""
    for operation in sorted(OPERATIONS):
        shape = MODEL.operation_model(operation).input_shape
        for member, inner in ({} if shape is None else shape.members).items():
            if inner.serialization.get("location") == "uri":
                continue
            number = inner.type_name in ("integer", "long")
            noun = "value" if number else "length"
            if inner.type_name not in ("integer", "long", "string", "list"):
                continue
            least, most = inner.metadata.get("min"), inner.metadata.get("max")
            if most is not None and most <= (1 << 40 if number else LENGTH_MAX):
                yield operation, member, sized(inner, most), None
                text = f"Member must have {noun} less than or equal to {most}"
                yield operation, member, sized(inner, most + 1), text
            if least is not None and (number or least > 0):
                yield operation, member, sized(inner, least), None
                text = f"Member must have {noun} greater than or equal to {least}"
                yield operation, member, sized(inner, least - 1), text
            # Of a runtime that does not exist the service itself speaks, in words of its own.
            if "enum" in inner.metadata and inner.name != "Runtime":
                yield operation, member, inner.metadata["enum"][0], None
                yield operation, member, "NoSuch", "Member must satisfy enum value set: ["


@pytest.fixture(scope="module")
def client(platform):
    key_id, secret = platform.root_key()
    made = make_client(
        "lambda",
        "us-east-1",
        endpoint_url=platform.endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=botocore.config.Config(
            parameter_validation=False, proxies={}, retries={"total_max_attempts": 1}
        ),
    )
    yield made
    made.close()


@pytest.mark.parametrize(("operation", "member", "value", "said"), list(cases()))
def test_a_bound_is_where_the_model_says(client, operation, member, value, said):
    shape = MODEL.operation_model(operation).input_shape
    params = {
        name: PATH[name]
        for name, inner in shape.members.items()
        if inner.serialization.get("location") == "uri"
    } | {member: value}
    error = {"Code": "", "Message": ""}
    try:
        client._make_api_call(operation, params)
    except ClientError as err:
        error = err.response["Error"]
    of_member = f"at '{member[0].lower()}{member[1:]}' failed to satisfy constraint: "
    about = [each for each in error["Message"].split("; ") if of_member in each]
    if said is None:
        assert not any("length" in each or "value less" in each for each in about)
    else:
        assert error["Code"] == "ValidationException"
        assert any(said in each for each in about), error

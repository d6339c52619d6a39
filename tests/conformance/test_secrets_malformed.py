"""Whatever is sent to KMS, Parameter Store and Secrets Manager, the answer is one of theirs."""

import json

import botocore.config
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from alonzo.daemon import catalog
from alonzo.services.kms.access import VIA_SERVICE
from alonzo.testing.clients import botocore_session, make_client

SERVICES = ("kms", "ssm", "secretsmanager")
OFFERED = {
    service.name: sorted(
        set(botocore_session().get_service_model(service.name).operation_names)
        - set(service.unsupported)
    )
    for service in catalog.SERVICES
    if service.name in SERVICES
}
#: Texts that a member may be given, whatever it is for.
TEXTS = (
    "x",
    "\ud7ff\U0001f600",
    "arn:aws:kms:us-east-1:000000000000:key/",
    "arn:::::",
    "a:b:c",
    "/",
)


def value_of(shape, text, depth=0):
    """A value of the shape; of structures, every member."""
    if shape.type_name in ("integer", "long"):
        return 7
    if shape.type_name == "list":
        return [value_of(shape.member, text, depth + 1)]
    if shape.type_name == "map":
        return {text: value_of(shape.value, text, depth + 1)}
    if shape.type_name == "structure":
        return {
            name: value_of(member, text, depth + 1)
            for name, member in shape.members.items()
            if depth < 4
        }
    if getattr(shape, "enum", None):
        return shape.enum[0]
    return {"boolean": True, "blob": text.encode(), "timestamp": 0}.get(shape.type_name, text)


def requests(shape):
    """Nothing; what is required; that and each other member, alone and hollow; all members."""
    yield {}
    for text in TEXTS:
        required = {name: value_of(shape.members[name], text) for name in shape.required_members}
        yield required
        for name, member in shape.members.items():
            yield {**required, name: value_of(member, text)}
            if member.type_name == "list" and member.member.type_name == "structure":
                yield {**required, name: [{}]}
        yield {name: value_of(member, text) for name, member in shape.members.items()}


@pytest.fixture
def anyhow(platform):
    """Clients that send what they are told."""
    key_id, secret = platform.root_key()
    made = []

    def client(service):
        made.append(
            make_client(
                service,
                "us-east-1",
                endpoint_url=platform.endpoint,
                config=botocore.config.Config(
                    retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False
                ),
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
            )
        )
        return made[-1]

    yield client
    for each in made:
        each.close()


@pytest.mark.parametrize("service", SERVICES)
def test_no_request_is_the_platform_s_fault(anyhow, service):
    client = anyhow(service)
    model = client.meta.service_model
    sent, faults = 0, []
    for operation in OFFERED[service]:
        for request in requests(model.operation_model(operation).input_shape):
            sent += 1
            try:
                client._make_api_call(operation, request)
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if not 400 <= status < 500 or error.response["Error"]["Code"] == "Unknown":
                    faults.append((operation, request, error))
    assert not faults
    assert sent > 100


def test_nobody_says_that_a_service_calls_for_them(platform):
    """Which service calls is known to the platform; a member of that name is not looked at."""
    kms = platform.client("kms")
    managed = kms.describe_key(KeyId="alias/aws/ssm")["KeyMetadata"]["Arn"]
    key_id, secret = platform.root_key()
    body = {"KeyId": managed, "Plaintext": "eA==", VIA_SERVICE: "ssm.us-east-1.amazonaws.com"}
    request = AWSRequest(
        "POST",
        platform.endpoint + "/",
        data=json.dumps(body),
        headers={
            "X-Amz-Target": "TrentService.Encrypt",
            "Content-Type": "application/x-amz-json-1.1",
        },
    )
    SigV4Auth(Credentials(key_id, secret), "kms", "us-east-1").add_auth(request)
    session = URLLib3Session()
    answer = session.send(request.prepare())
    session.close()
    assert answer.status_code == 400
    assert b"AccessDeniedException" in answer.content

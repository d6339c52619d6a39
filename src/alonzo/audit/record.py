"""One event as a record of CloudTrail. No I/O; clock and ids are the caller's.

Sources: CloudTrail user guide, "CloudTrail record contents" (members, sizes) and "CloudTrail
userIdentity element". Records of the log itself have ``eventSource`` ``audit.alonzo``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from alonzo.audit import names
from alonzo.audit.masking import HIDDEN, Masks, without
from alonzo.lib.clock import utc
from alonzo.model.context import Principal
from alonzo.model.ports.audit import AuditEvent, TlsFacts, TurnedAway
from alonzo.model.sessions import WebIdentity

VERSION = "1.11"

#: Sizes of members in bytes; longer ones are left out or cut. The first is CloudTrail's.
ELEMENTS_BYTES_MAX = 100 * 1024
TEXT_CHARS_MAX = 1024
KEY_ID_CHARS_MAX = 128
_RESOURCES_MAX = 20

#: The source of records about the log itself.
OWN_SOURCE = "audit.alonzo"

_ARN = re.compile(r"arn:[a-z-]+:([a-z0-9-]+):[a-z0-9-]*:(\d{12}|aws)?:([A-Za-z0-9-]*).*", re.DOTALL)

#: Where a value may begin.
_VALUE = re.compile(r"""['"\[{]""")

#: The type of a resource, by the service and first word of its ARN.
#: Source: AWS resource and property types reference.
_TYPES: Mapping[tuple[str, str], str] = {
    ("dynamodb", "table"): "AWS::DynamoDB::Table",
    ("events", "rule"): "AWS::Events::Rule",
    ("iam", "policy"): "AWS::IAM::Policy",
    ("iam", "role"): "AWS::IAM::Role",
    ("iam", "user"): "AWS::IAM::User",
    ("kinesis", "stream"): "AWS::Kinesis::Stream",
    ("kms", "key"): "AWS::KMS::Key",
    ("lambda", "function"): "AWS::Lambda::Function",
    ("lambda", "layer"): "AWS::Lambda::LayerVersion",
    ("logs", "log-group"): "AWS::Logs::LogGroup",
    ("secretsmanager", "secret"): "AWS::SecretsManager::Secret",
    ("states", "stateMachine"): "AWS::StepFunctions::StateMachine",
}
_TYPES_OF_SERVICES: Mapping[str, str] = {
    "s3": "AWS::S3::Object",
    "sns": "AWS::SNS::Topic",
    "sqs": "AWS::SQS::Queue",
}


def record_of(event: AuditEvent, masks: Masks, event_id: str, now_s: float) -> dict[str, Any]:
    """What is kept of an event. Secrets are hidden in it; nothing of the event is held on to."""
    service, operation = event.service, event.operation
    mask_input, mask_output = masks.of(service, operation)
    hidden: list[str] | None = None if event.error is None else []
    params = None if event.params is None else mask_input(event.params, hidden)
    result = None
    if event.result is not None and names.keeps_answer(service, operation):
        result = mask_output(event.result, None)
    is_data = names.is_data_event(service, operation)
    account, vouched = event.account, event.web_identity
    if vouched is None:
        identity = identity_of(event.principal, account, event.invoked_by)
    else:
        identity, account = web_identity_of(vouched), vouched.provider_arn.split(":")[4]
    record: dict[str, Any] = {
        "eventVersion": VERSION,
        "userIdentity": identity,
        "eventTime": _time(now_s),
        "eventSource": names.event_source(service),
        "eventName": names.event_name(service, operation),
        "awsRegion": event.region,
        "sourceIPAddress": event.source_ip,
        "userAgent": event.user_agent[:TEXT_CHARS_MAX] or event.invoked_by or None,
    }
    if event.error is not None:
        code, text = event.error
        record["errorCode"] = code[:TEXT_CHARS_MAX]
        if params is None:
            text = _without_values(text)
        record["errorMessage"] = without(text, hidden or [])[:TEXT_CHARS_MAX]
    record["requestParameters"] = params or None
    record["responseElements"] = result or None
    resources = list(_resources(params, service, operation, event))
    if resources:
        record["resources"] = resources
    record |= {
        "requestID": event.request_id,
        "eventID": event_id,
        "readOnly": names.is_read_only(service, operation),
        "eventType": "AwsApiCall",
        "managementEvent": not is_data,
        "recipientAccountId": account,
        "eventCategory": "Data" if is_data else "Management",
    }
    return _with_tls(record, event.tls)


def record_of_refusal(
    event: TurnedAway, account: str, event_id: str, now_s: float
) -> dict[str, Any]:
    """What is kept of a caller who was turned away: what it claimed, which nobody believes."""
    code, text = event.error
    record: dict[str, Any] = {
        "eventVersion": VERSION,
        "userIdentity": {"type": "Unknown", "accessKeyId": event.access_key_id[:KEY_ID_CHARS_MAX]},
        "eventTime": _time(now_s),
        "eventSource": names.event_source(event.service),
        "eventName": names.event_name(event.service, event.operation)[:KEY_ID_CHARS_MAX]
        or "unknown",
        "awsRegion": event.region,
        "sourceIPAddress": event.source_ip,
        "userAgent": event.user_agent[:TEXT_CHARS_MAX] or None,
        "errorCode": code[:TEXT_CHARS_MAX],
        "errorMessage": text[:TEXT_CHARS_MAX],
        "requestParameters": None,
        "responseElements": None,
        "requestID": event.request_id,
        "eventID": event_id,
        "readOnly": names.is_read_only(event.service, event.operation),
        "eventType": "AwsApiCall",
        "managementEvent": not names.is_data_event(event.service, event.operation),
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    return _with_tls(record, event.tls)


def own_record(
    name: str, details: Mapping[str, Any], account: str, event_id: str, now_s: float
) -> dict[str, Any]:
    """A record about the log itself: that it was opened, that records were lost."""
    return {
        "eventVersion": VERSION,
        "userIdentity": {"type": "AWSService", "accountId": account, "invokedBy": OWN_SOURCE},
        "eventTime": _time(now_s),
        "eventSource": OWN_SOURCE,
        "eventName": name,
        "sourceIPAddress": OWN_SOURCE,
        "userAgent": OWN_SOURCE,
        "requestParameters": None,
        "responseElements": None,
        "eventID": event_id,
        "readOnly": True,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": account,
        "serviceEventDetails": dict(details),
        "eventCategory": "Management",
    }


def encode(record: dict[str, Any]) -> bytes:
    """The record as one line. Elements over their size are left out, and say so."""
    for name in ("requestParameters", "responseElements"):
        value = record[name]
        if value is not None:
            size = len(_dump(value))
            if size > ELEMENTS_BYTES_MAX:
                record[name] = {
                    "omitted": True,
                    "originalSize": size,
                    "reason": f"{name} too large",
                }
    return _dump(record) + b"\n"


def identity_of(principal: Principal | None, account: str, invoked_by: str) -> dict[str, Any]:
    """CloudTrail's ``userIdentity``."""
    if principal is not None and principal.service:
        return {"type": "AWSService", "invokedBy": principal.service}
    if principal is None or not principal.arn.startswith("arn:"):
        return {"type": "Unknown", "accountId": account}
    session = principal.session
    kind = "Root" if principal.is_root else "IAMUser"
    if session is not None and session.role_arn is not None:
        kind = "AssumedRole"
    identity: dict[str, Any] = {
        "type": kind,
        "principalId": principal.user_id,
        "arn": principal.arn,
        "accountId": principal.account,
    }
    # Calls that need no key have another text in its place.
    if principal.access_key_id.isalnum():
        identity["accessKeyId"] = principal.access_key_id
    if kind == "IAMUser":
        identity["userName"] = principal.arn.rpartition("/")[2]
    if session is not None:
        context: dict[str, Any] = {
            "attributes": {
                "creationDate": _time(session.issued_at_s),
                "mfaAuthenticated": "false",
            }
        }
        if session.role_arn is not None:
            context["sessionIssuer"] = {
                "type": "Role",
                "principalId": principal.identity_id,
                "arn": session.role_arn,
                "accountId": principal.account,
                "userName": session.role_arn.rpartition("/")[2],
            }
        if session.source_identity is not None:
            context["sourceIdentity"] = session.source_identity
        identity["sessionContext"] = context
    if invoked_by:
        identity["invokedBy"] = invoked_by
    return identity


def web_identity_of(identity: WebIdentity) -> dict[str, Any]:
    """``userIdentity`` of somebody whom a token vouched for.

    Source: IAM user guide, logging IAM and AWS STS API calls, example of AssumeRoleWithWebIdentity.
    """
    arn, subject = identity.provider_arn, identity.subject[:TEXT_CHARS_MAX]
    return {
        "type": "WebIdentityUser",
        "principalId": f"{arn}:{identity.audience[:TEXT_CHARS_MAX]}:{subject}",
        "userName": subject,
        "identityProvider": arn,
    }


def _resources(
    params: Any, service: str, operation: str, event: AuditEvent
) -> Iterator[dict[str, Any]]:
    """What the parameters name by an ARN; and the function that is invoked."""
    found: list[str] = []
    if isinstance(params, Mapping):
        members = cast("Mapping[str, Any]", params)
        found = [
            value for value in members.values() if isinstance(value, str) and value[:4] == "arn:"
        ]
        name = members.get("functionName")
        if service == "lambda" and names.is_data_event(service, operation) and name not in found:
            found.append(f"arn:aws:lambda:{event.region}:{event.account}:function:{name}")
    for arn in found[:_RESOURCES_MAX]:
        match = _ARN.fullmatch(arn)
        if match is not None:
            resource = {"ARN": arn, "accountId": match[2] or event.account}
            kind = _TYPES.get((match[1], match[3])) or _TYPES_OF_SERVICES.get(match[1])
            yield resource if kind is None else {**resource, "type": kind}


def _with_tls(record: dict[str, Any], tls: TlsFacts | None) -> dict[str, Any]:
    if tls is not None:
        record["tlsDetails"] = {
            "tlsVersion": tls.version,
            "cipherSuite": tls.cipher_suite,
            "clientProvidedHostHeader": tls.host[:TEXT_CHARS_MAX],
        }
    return record


def _without_values(text: str) -> str:
    """A message up to the first value that it repeats.

    Where parameters could not be read, nobody knows which of their values are secret.
    """
    found = _VALUE.search(text)
    return text if found is None else f"{text[: found.start()]}{HIDDEN}"


def _time(epoch_s: float) -> str:
    return utc(epoch_s).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Numbers of more than 64 bits, and halves of surrogate pairs.
        return json.dumps(value, default=str).encode()

"""How each service says that a request is not authorized.

| Services | Code | Status | |
|---|---|---|---|
| those of the query protocol, S3 | ``AccessDenied`` | 403 | |
| those of the JSON protocol | ``AccessDeniedException`` | 400 | |
| Lambda, Scheduler | ``AccessDeniedException`` | 403 | |
| SNS | ``AuthorizationError`` | 403 | actions begin with ``SNS:`` |
| SQS | ``AccessDeniedException`` (query: ``AccessDenied``) | 403 | actions are in lower case |

Source: IAM user guide, troubleshooting access denied error messages; public error reports of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from alonzo.lib.policies.compiled import Request
from alonzo.lib.policies.denials import denial
from alonzo.lib.policies.evaluation import Decision
from alonzo.model.errors import AwsError


@dataclass(frozen=True, slots=True)
class _Voice:
    """How one service speaks. ``names_all``: also of actions that have no resource."""

    code: str = "AccessDeniedException"
    status: int = 403
    spelled: Callable[[str], str] = str
    names_all: bool = True


def _sns(action: str) -> str:
    service, _, name = action.partition(":")
    return f"{service.upper()}:{name}"


_QUERY = _Voice("AccessDenied")
_JSON = _Voice(status=400)
_VOICES: Mapping[str, _Voice] = {
    "lambda": _Voice(),
    "scheduler": _Voice(),
    "iam": _QUERY,
    "sts": _QUERY,
    "cloudwatch": _QUERY,
    "logs": _JSON,
    "kms": _JSON,
    "ssm": _JSON,
    "secretsmanager": _Voice(status=400, names_all=False),
    "s3": _QUERY,
    "sqs": _Voice(spelled=str.lower),
    "sns": _Voice("AuthorizationError", spelled=_sns),
}


def refusal_of(service: str, request: Request, decision: Decision) -> AwsError:
    """The error of a service for a request that it refuses."""
    voice = _VOICES.get(service, _JSON)
    text = denial(replace(request, action=voice.spelled(request.action)), decision)
    if not voice.names_all:
        text = text.replace(" on resource: * ", " ", 1)
    return AwsError(voice.code, text, status=voice.status)

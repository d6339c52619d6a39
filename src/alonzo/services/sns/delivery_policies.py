"""How often, and how soon, a delivery that failed is tried again. Pure.

| Phase | Functions and queues | HTTP, unless a policy says otherwise |
|---|---|---|
| at once | 3 times | - |
| least delay | 2 times, 1 s | - |
| backoff | 10 times, from 1 s to 20 s | 3 times, 20 s |
| greatest delay | 100,000 times, 20 s | - |

Source: SNS developer guide, message delivery retries; creating an HTTP/S delivery policy. The
curves of the four backoff functions are ours: the guide only draws them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from alonzo.services.sns.errors import invalid
from alonzo.services.sns.limits import (
    HTTP_RETRIES_S_MAX,
    MANAGED_ATTEMPTS_MAX,
    SMALL_POLICY_CHARS_MAX,
)

CONTENT_TYPE = "text/plain; charset=UTF-8"
_RETRIES_MAX = 100
_HEADER_BYTES_MAX = 256
_PER_S_MAX = 1_000_000

_DEFAULT_RETRIES: Mapping[str, Any] = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}

#: How far, from 0 to 1, the delay has grown after a share, from 0 to 1, of the backoff phase.
_CURVES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "arithmetic": lambda share: share * (share + 1) / 2,
    "geometric": lambda share: share**2,
    "exponential": lambda share: (2 ** (6 * share) - 1) / 63,
}


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """One policy, ready to be asked. Delays are in seconds; ``per_s`` None is no throttle."""

    min_s: float
    max_s: float
    retries: int
    at_once: int
    at_min: int
    at_max: int
    curve: str = "linear"
    per_s: float | None = None
    content_type: str = CONTENT_TYPE

    def delay_s(self, attempts_made: int) -> float | None:
        """How long to wait after so many failed attempts, or None: give up."""
        retry = attempts_made
        if retry > self.retries:
            return None
        if retry <= self.at_once:
            return 0.0
        if retry <= self.at_once + self.at_min:
            return self.min_s
        growing = self.retries - self.at_once - self.at_min - self.at_max
        step = retry - self.at_once - self.at_min
        if step > growing:
            return self.max_s
        share = 1.0 if growing == 1 else (step - 1) / (growing - 1)
        return self.min_s + (self.max_s - self.min_s) * _CURVES[self.curve](share)


#: Of functions and queues.
MANAGED = DeliveryPolicy(
    1.0, 20.0, MANAGED_ATTEMPTS_MAX - 1, 3, 2, MANAGED_ATTEMPTS_MAX - 16, "exponential"
)


def read_topic_policy(text: str) -> dict[str, Any]:
    """Read the ``DeliveryPolicy`` of a topic.

    Raises:
        AwsError: InvalidParameter; but for AWS's first words the texts are ours.
    """
    document = _load(text)
    http = document.get("http", {})
    if document.keys() - {"http"} or not isinstance(http, dict):
        raise invalid("DeliveryPolicy: it must have http as its only member")
    found = cast("dict[str, Any]", http)
    unknown = found.keys() - {
        "defaultHealthyRetryPolicy",
        "defaultSicklyRetryPolicy",
        "defaultThrottlePolicy",
        "defaultRequestPolicy",
        "disableSubscriptionOverrides",
    }
    if unknown or not isinstance(found.get("disableSubscriptionOverrides", False), bool):
        raise invalid(f"DeliveryPolicy: {_named(unknown, 'disableSubscriptionOverrides')}")
    _build(_of_topic(found))
    return document


def read_subscription_policy(text: str) -> dict[str, Any]:
    """Read the ``DeliveryPolicy`` of a subscription.

    Raises:
        AwsError: InvalidParameter; but for AWS's first words the texts are ours.
    """
    document = _load(text)
    known = {"healthyRetryPolicy", "sicklyRetryPolicy", "throttlePolicy", "requestPolicy"}
    unknown = document.keys() - known - {"guaranteed"}
    if unknown:
        raise invalid(f"DeliveryPolicy: {_named(unknown, '')}")
    _build(document)
    return document


def effective_topic_policy(text: str | None) -> dict[str, Any]:
    """``EffectiveDeliveryPolicy`` of a topic."""
    http = cast("dict[str, Any]", {} if text is None else json.loads(text).get("http", {}))
    found = _of_topic(http)
    shown: dict[str, Any] = {
        "defaultHealthyRetryPolicy": _retries(found),
        "disableSubscriptionOverrides": http.get("disableSubscriptionOverrides", False),
        "defaultRequestPolicy": {"headerContentType": _content_type(found)},
    }
    if found.get("throttlePolicy"):
        shown["defaultThrottlePolicy"] = found["throttlePolicy"]
    return {"http": shown}


def effective_subscription_policy(own: str | None, of_topic: str | None) -> dict[str, Any]:
    """``EffectiveDeliveryPolicy`` of a subscription over HTTP."""
    found = _merged(own, of_topic)
    return {
        "healthyRetryPolicy": _retries(found),
        "sicklyRetryPolicy": None,
        "throttlePolicy": found.get("throttlePolicy"),
        "requestPolicy": {"headerContentType": _content_type(found)},
        "guaranteed": False,
    }


@lru_cache(maxsize=1024)
def http_policy(own: str | None, of_topic: str | None) -> DeliveryPolicy:
    """What is in force for a subscription over HTTP. Both texts were read before."""
    return _build(_merged(own, of_topic))


def _merged(own: str | None, of_topic: str | None) -> dict[str, Any]:
    http = cast("dict[str, Any]", {} if of_topic is None else json.loads(of_topic).get("http", {}))
    found = _of_topic(http)
    if own is None or http.get("disableSubscriptionOverrides"):
        return found
    return found | {name: value for name, value in json.loads(own).items() if value is not None}


def _of_topic(http: Mapping[str, Any]) -> dict[str, Any]:
    pairs = {
        "healthyRetryPolicy": http.get("defaultHealthyRetryPolicy"),
        "throttlePolicy": http.get("defaultThrottlePolicy"),
        "requestPolicy": http.get("defaultRequestPolicy"),
    }
    return {name: value for name, value in pairs.items() if value is not None}


def _load(text: str) -> dict[str, Any]:
    if len(text) > SMALL_POLICY_CHARS_MAX:
        raise invalid("DeliveryPolicy: it is too long")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid("DeliveryPolicy: failed to parse JSON.") from error
    if not isinstance(document, dict):
        raise invalid("DeliveryPolicy: failed to parse JSON.")
    return cast("dict[str, Any]", document)


def _named(unknown: set[str], otherwise: str) -> str:
    return f"unknown member {min(unknown)[:100]}" if unknown else f"{otherwise} is not valid"


def _part(found: Mapping[str, Any], name: str, known: set[str]) -> dict[str, Any]:
    part = found.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise invalid(f"DeliveryPolicy: {name} must be an object")
    values = cast("dict[str, Any]", part)
    if values.keys() - known:
        raise invalid(f"DeliveryPolicy: {_named(values.keys() - known, '')}")
    return values


def _retries(found: Mapping[str, Any]) -> dict[str, Any]:
    given = _part(found, "healthyRetryPolicy", set(_DEFAULT_RETRIES))
    return {**_DEFAULT_RETRIES, **{k: v for k, v in given.items() if v is not None}}


def _content_type(found: Mapping[str, Any]) -> str:
    value = _part(found, "requestPolicy", {"headerContentType"}).get("headerContentType")
    if value is None:
        return CONTENT_TYPE
    fits = isinstance(value, str) and 0 < len(value) <= _HEADER_BYTES_MAX
    if not fits or not cast("str", value).isascii() or not cast("str", value).isprintable():
        raise invalid("DeliveryPolicy: headerContentType is not valid")
    return cast("str", value)


def _throttle(found: Mapping[str, Any]) -> float | None:
    value = _part(found, "throttlePolicy", {"maxReceivesPerSecond"}).get("maxReceivesPerSecond")
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 1 <= value <= _PER_S_MAX
    ):
        raise invalid("DeliveryPolicy: throttlePolicy.maxReceivesPerSecond is out of range")
    return float(value)


def _build(found: Mapping[str, Any]) -> DeliveryPolicy:
    values = _retries(found)
    counts = {name: _count(values[name], name) for name in values if name != "backoffFunction"}
    if not 1 <= counts["minDelayTarget"] <= counts["maxDelayTarget"] <= HTTP_RETRIES_S_MAX:
        raise invalid("DeliveryPolicy: minDelayTarget and maxDelayTarget are not valid")
    if counts["numRetries"] > _RETRIES_MAX:
        raise invalid("DeliveryPolicy: numRetries must be less than or equal to 100")
    fixed = sum(counts[f"num{kind}DelayRetries"] for kind in ("No", "Min", "Max"))
    if fixed > counts["numRetries"]:
        raise invalid("DeliveryPolicy: numRetries must be at least the sum of all phases")
    if values["backoffFunction"] not in _CURVES:
        raise invalid("DeliveryPolicy: backoffFunction is not valid")
    policy = DeliveryPolicy(
        counts["minDelayTarget"],
        counts["maxDelayTarget"],
        counts["numRetries"],
        counts["numNoDelayRetries"],
        counts["numMinDelayRetries"],
        counts["numMaxDelayRetries"],
        values["backoffFunction"],
        _throttle(found),
        _content_type(found),
    )
    total_s = sum(policy.delay_s(made) or 0.0 for made in range(1, policy.retries + 1))
    if total_s > HTTP_RETRIES_S_MAX:
        raise invalid("DeliveryPolicy: all retries together must not take more than 3600 seconds")
    return policy


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise invalid(f"DeliveryPolicy: {name} must be a whole number")
    if not 0 <= value <= HTTP_RETRIES_S_MAX:
        raise invalid(f"DeliveryPolicy: {name} is out of range")
    return int(value)

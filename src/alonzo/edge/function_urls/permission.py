"""Who may call a function through its URL. Pure, but for what it remembers.

A call needs two permissions on the function, or on the alias whose URL it is:

| Action | Key of the request that says why it is asked |
|---|---|
| ``lambda:InvokeFunctionUrl`` | ``lambda:FunctionUrlAuthType``: ``NONE`` or ``AWS_IAM`` |
| ``lambda:InvokeFunction`` | ``lambda:InvokedViaFunctionUrl``: ``true`` |

Strangers have the resource-based policy or nothing; signed callers of the same account may have
identity-based policies in its place, those of another account need both.

Source: Lambda developer guide, "Control access to Lambda function URLs" (since October 2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

import orjson

from alonzo.lib.policies.compiled import Policy, PolicyError, Request, compile_policy
from alonzo.lib.policies.evaluation import Policies, evaluate
from alonzo.lib.policies.principals import Caller, anonymous
from alonzo.model.function_urls import FunctionUrl

Context = Mapping[str, str | tuple[str, ...]]

_AUTH_TYPE = "lambda:functionurlauthtype"
_VIA_URL = "lambda:invokedviafunctionurl"
_FUNCTION_ARN = "lambda:functionarn"
#: Keys that are the same for every call of a stranger to one URL.
_FIXED_KEYS = frozenset({_AUTH_TYPE, _VIA_URL, _FUNCTION_ARN, "aws:resourceaccount"})

#: Policies kept ready, and decisions about strangers; each text is 20 KiB at most.
_KEPT_MAX = 256


def admits_stranger(url: FunctionUrl, context: Context) -> bool:
    """Whether somebody may call who did not sign.

    ``context`` has what is known of the request, by lower-case key. As long as the policy asks for
    nothing in it, this is one look into a table: a policy that changes is another entry.
    """
    policy = _compiled(url.policy)
    if policy is None:
        return False
    if policy.context_keys <= _FIXED_KEYS:
        return _admits_any_stranger(url.policy, url.arn, url.key.account, url.auth_type)
    return _admits(policy, url.arn, url.key.account, url.auth_type, anonymous(), context=context)


def keys_asked(url: FunctionUrl, own: Policies) -> frozenset[str]:
    """What the policies of a signed caller, and the function's, want to know of a call."""
    policy = _compiled(url.policy)
    asked = own.context_keys()
    return asked if policy is None else asked | policy.context_keys


def admits(url: FunctionUrl, caller: Caller, own: Policies, context: Context) -> bool:
    """Whether a signed caller may call, who has the policies ``own``.

    A policy of the function that cannot be evaluated might deny: then nobody may.
    """
    policy = _compiled(url.policy)
    if policy is None and url.policy is not None:
        return False
    return _admits(
        policy, url.arn, url.key.account, url.auth_type, caller, own=own, context=context
    )


def _admits(
    policy: Policy | None,
    arn: str,
    account: str,
    auth_type: str,
    caller: Caller,
    *,
    own: Policies | None = None,
    context: Context,
) -> bool:
    policies = Policies(resource=policy) if own is None else replace(own, resource=policy)
    about = {"aws:resourceaccount": account, **context, _FUNCTION_ARN: arn}
    return all(
        evaluate(Request(action, arn, caller, account, {**about, key: value}), policies).allowed
        for action, key, value in (
            ("lambda:InvokeFunctionUrl", _AUTH_TYPE, auth_type),
            ("lambda:InvokeFunction", _VIA_URL, "true"),
        )
    )


@lru_cache(maxsize=_KEPT_MAX)
def _admits_any_stranger(text: str, arn: str, account: str, auth_type: str) -> bool:
    return _admits(_compiled(text), arn, account, auth_type, anonymous(), context={})


@lru_cache(maxsize=_KEPT_MAX)
def _compiled(text: str | None) -> Policy | None:
    """A policy made ready; None for none, and for one that cannot be evaluated."""
    if text is None:
        return None
    try:
        document: Any = orjson.loads(text)
        return (
            compile_policy(cast("dict[str, Any]", document)) if isinstance(document, dict) else None
        )
    except (PolicyError, orjson.JSONDecodeError):
        return None

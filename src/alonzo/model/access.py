"""What a request wants to do, in the words of policies. Each service has a table of its operations.

A table maps the operations of a service to rules; a rule turns the parameters of a call into
everything that its caller must be allowed to do.

Source: service authorization reference, actions, resources and condition keys of each service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alonzo.model.context import RequestContext


@dataclass(frozen=True, slots=True)
class Access:
    """One action on one resource.

    ``resource`` is an ARN, or ``*`` where the action has none. ``keys`` are the service's own keys
    of the request's context, in lower case. ``policy_decides``: the policy of the resource must let
    the caller in, whatever others allow; so it is with keys of KMS, for the root user as well.
    ``account`` owns the resource, where the ARN does not name it; empty: the caller's.
    """

    action: str
    resource: str = "*"
    keys: Mapping[str, str | tuple[str, ...]] = field(
        default_factory=dict[str, str | tuple[str, ...]]
    )
    policy_decides: bool = False
    account: str = ""


#: What one call of an operation wants to do. Nothing: anybody who has a key may call it.
AccessRule = Callable[[RequestContext, Mapping[str, Any]], Sequence[Access]]

#: The rules of a service, by the names of its operations.
AccessRules = Mapping[str, AccessRule]


def on_all(action: str) -> AccessRule:
    """The rule of an operation whose action has no resource."""
    access = (Access(action),)
    return lambda _context, _params: access


def free() -> AccessRule:
    """The rule of an operation that needs no permission."""
    return lambda _context, _params: ()

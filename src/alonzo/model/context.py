"""Who calls, for which account and region, under which request id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from alonzo.model.sessions import WebIdentity


@dataclass(frozen=True, slots=True)
class Session:
    """What was settled when temporary credentials were issued. Times are epoch seconds.

    ``role_arn`` is None for sessions of users. ``policies`` are documents of session policies,
    ``policy_arns`` managed ones. ``tags`` belong to the session; the keys of those that go on to
    sessions of sessions are ``transitive``. ``function_arn`` is the function whose environment the
    credentials were made for, unqualified; None for those that anybody asked STS for.
    """

    name: str
    issued_at_s: float
    role_arn: str | None = None
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    source_identity: str | None = None
    function_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller as authentication established it.

    ``arn`` and ``user_id`` are what ``sts:GetCallerIdentity`` shows. ``is_root`` is the account's
    root user, who may do everything. ``identity_id`` is the unique id of the user or role whose
    policies count; empty for the root user. ``session`` is None for long-lived keys. ``service`` is
    the name of a service of AWS that calls by itself (``sns.amazonaws.com``), and empty for others.
    """

    account: str
    arn: str
    user_id: str
    access_key_id: str
    is_root: bool = False
    identity_id: str = ""
    session: Session | None = None
    service: str = ""


#: Somebody who has signed nothing, and whom only the policy of a resource lets in.
ANONYMOUS = Principal("anonymous", "anonymous", "anonymous", "")


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What every operation gets beside its parameters.

    ``endpoint`` is the base URL as the caller addressed it (``http://127.0.0.1:4566``), for links
    in answers. ``from_sandbox``: over the loopback of an environment. ``trace_header`` is the
    caller's ``X-Amzn-Trace-Id``. ``source_arn`` is on whose behalf a service calls, a topic's for
    one; it may be another account's. ``user_agent`` and ``referer`` are headers of the request,
    which anybody may make up. ``facts`` are what the edge's part of one service tells that service
    alone. ``vouch``, of operations that nobody signs: tells the audit log who calls, once the
    operation knows.
    """

    request_id: str
    account: str
    region: str
    principal: Principal
    endpoint: str
    source_ip: str
    trace_header: str | None = None
    source_arn: str | None = None
    user_agent: str | None = None
    referer: str | None = None
    from_sandbox: bool = False
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    vouch: Callable[[WebIdentity], None] | None = None

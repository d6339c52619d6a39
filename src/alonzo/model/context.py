"""Who calls, for which account and region, under which request id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller as authentication established it.

    ``arn`` and ``user_id`` are what ``sts:GetCallerIdentity`` shows. ``is_root`` is the account's
    root user, who may do everything.
    """

    account: str
    arn: str
    user_id: str
    access_key_id: str
    is_root: bool = False


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What every operation gets beside its parameters.

    ``endpoint`` is the base URL as the caller addressed it (``http://127.0.0.1:4566``), for links
    in answers.
    """

    request_id: str
    account: str
    region: str
    principal: Principal
    endpoint: str
    source_ip: str

"""Who asks, and what the ``Principal`` and ``NotPrincipal`` elements say about them.

How far a resource-based policy carries a caller depends on the name that it lets in:

| Named | For | The permission |
|---|---|---|
| the user, the session of a role, ``*`` | that caller | stands alone (``DIRECT``) |
| the role | its sessions | stops at permissions boundary and session policies (``ROLE``) |
| the account | everyone in it | needs an identity-based policy as well (``ACCOUNT``) |

Source: IAM user guide, Principal element; policy evaluation logic, resource-based policies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_KINDS = ("AWS", "Service", "Federated", "CanonicalUser")


class PrincipalError(Exception):
    """A Principal element is none. The message says why."""


class Grant(IntEnum):
    """How far an ``Allow`` of a resource-based policy carries the caller. More is further."""

    NONE = 0
    ACCOUNT = 1
    ROLE = 2
    DIRECT = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, by all the names that a policy may know them by.

    ``arn`` stands in messages. ``account`` is None for services and for people without a name.
    ``direct`` names mean exactly this caller, ``role`` names all sessions of one role.
    """

    arn: str
    account: str | None
    direct: frozenset[str] = frozenset()
    role: frozenset[str] = frozenset()
    is_root: bool = False

    @property
    def account_arn(self) -> str | None:
        """The account as a principal."""
        return None if self.account is None else account_arn(self.account)


def root_user(account: str) -> Caller:
    """The root user of an account."""
    arn = account_arn(account)
    return Caller(arn, account, frozenset((arn,)), is_root=True)


def user(arn: str, account: str, user_id: str) -> Caller:
    """A user, with long-lived keys or with a session of their own."""
    return Caller(arn, account, frozenset((arn, user_id)))


def role_session(
    arn: str, account: str, *, role_arn: str, role_id: str, session_name: str
) -> Caller:
    """A session of a role. ``arn`` is the session's, ``role_arn`` has the role's path."""
    direct = frozenset((arn, f"{role_id}:{session_name}"))
    return Caller(arn, account, direct, frozenset((role_arn, role_id)))


def service(name: str) -> Caller:
    """A service of AWS, as ``s3.amazonaws.com``."""
    return Caller(name, None, frozenset((f"Service {name}",)))


def federated(provider: str, subject: str) -> Caller:
    """Somebody whom an identity provider vouches for. ``provider`` as in ``Federated``."""
    return Caller(subject, None, frozenset((f"Federated {provider}",)))


def anonymous() -> Caller:
    """Somebody whose request is not signed."""
    return Caller("anonymous", None)


def account_arn(account: str) -> str:
    """The ARN that means a whole account, and also its root user."""
    return f"arn:aws:iam::{account}:root"


@dataclass(frozen=True, slots=True)
class Principals:
    """A ``Principal`` element, or with ``inverted`` a ``NotPrincipal``."""

    everyone: bool
    names: frozenset[str]
    inverted: bool = False

    def grant(self, caller: Caller) -> Grant:
        """How far an ``Allow`` that names them carries the caller."""
        if self.inverted:
            known = self.everyone or bool(self._known(caller))
            return Grant.NONE if known else Grant.DIRECT
        if self.everyone or not self.names.isdisjoint(caller.direct):
            return Grant.DIRECT
        if not self.names.isdisjoint(caller.role):
            return Grant.ROLE
        return Grant.ACCOUNT if caller.account_arn in self.names else Grant.NONE

    def denies(self, caller: Caller, *, bounded: bool = False) -> bool:
        """Whether a ``Deny`` that names them is meant for the caller.

        ``NotPrincipal`` spares only callers of whom every name is listed: a session with its role
        and its account. Who has a permissions boundary (``bounded``) is never spared.

        Source: IAM user guide, NotPrincipal element, key points.
        """
        if not self.inverted:
            return self.grant(caller) is not Grant.NONE
        if bounded:
            return True
        if self.everyone:
            return False
        account = caller.account_arn
        needed = [names for names in (caller.direct, caller.role) if names]
        if account is not None:
            needed.append(frozenset((account,)))
        return not needed or any(self.names.isdisjoint(names) for names in needed)

    def _known(self, caller: Caller) -> frozenset[str]:
        account = caller.account_arn
        names = caller.direct | caller.role
        return self.names & (names if account is None else names | {account})


def compile_principals(element: Any, *, inverted: bool) -> Principals:
    """Make a ``Principal`` or ``NotPrincipal`` element ready.

    Raises:
        PrincipalError: it is none.
    """
    if element == "*":
        return Principals(everyone=True, names=frozenset(), inverted=inverted)
    if not isinstance(element, Mapping) or not element:
        raise PrincipalError("it is neither * nor an object")
    everyone, names = False, set[str]()
    for kind, value in cast("Mapping[str, Any]", element).items():
        if kind not in _KINDS:
            raise PrincipalError(f"{kind} is no kind of principal")
        for text in _texts(value):
            if text == "*" and kind == "AWS":
                everyone = True
            else:
                names.add(_name(kind, text))
    return Principals(everyone, frozenset(names), inverted)


def _texts(value: Any) -> list[str]:
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in values):
        raise PrincipalError("a principal is no string")
    return values


def _name(kind: str, text: str) -> str:
    if kind != "AWS":
        return f"{kind} {text}"
    return account_arn(text) if _ACCOUNT.fullmatch(text) else text

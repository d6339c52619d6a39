"""Who AddPermission may let in. Source: Lambda API, AddPermission; recorded responses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from alonzo.model.errors import invalid_parameter

_ACCOUNT = re.compile(r"[0-9]{12}")
#: ``s3.amazonaws.com``, ``logs.eu-west-1.amazonaws.com``, ``alexa-appkit.amazon.com``.
_SERVICE = re.compile(r"(?:[a-z0-9-]+\.)+(?:amazonaws\.com(?:\.cn)?|amazon\.com)")
_IDENTITY = re.compile(
    r"arn:aws[a-zA-Z-]*:(?:iam::\d{12}:(?:root|(?:user|role)/[\w+=,.@/-]+)"
    r"|sts::\d{12}:(?:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+))",
    re.ASCII,
)


def plan_principal(text: str) -> str | Mapping[str, str]:
    """The ``Principal`` of a statement, from the parameter of that name.

    AWS refuses a user or role that does not exist, too; here its form is checked.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if text == "*":
        return "*"
    if _ACCOUNT.fullmatch(text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if _SERVICE.fullmatch(text):
        return {"Service": text}
    if _IDENTITY.fullmatch(text):
        return {"AWS": text}
    raise invalid_parameter(
        "The provided principal was invalid. Please check the principal and try again."
    )

"""Roles for functions of a test.

Every ``DaemonProcess`` makes two when it first starts, which Lambda may assume. ``functions.ROLE``,
which functions have if a test does not give them another, may write logs and nothing else, like
most execution roles. ``functions.ADMIN_ROLE`` may do everything: for functions that call other
services, or whose events go on to destinations. Where rights matter, make one:
``daemon.role("reader", "ReadOnlyAccess")`` answers its ARN, and so does
``callers.Household(daemon).role(name, trust(LAMBDA), allow("ssm:GetParameter"))``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alonzo.cli.http import open_connection

#: Who assumes the roles of functions, as a trust policy's principal.
LAMBDA = {"Service": "lambda.amazonaws.com"}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": LAMBDA, "Action": "sts:AssumeRole"},
    }
)
#: What nearly every execution role has.
BASIC = "service-role/AWSLambdaBasicExecutionRole"
#: For functions whose rights a test is not about.
ADMIN = "AdministratorAccess"

_MANAGED = "arn:aws:iam::aws:policy/"
_REGION = "us-east-1"
_ARN = re.compile("<Arn>(.*?)</Arn>")


def make_role(endpoint: str, key: tuple[str, str], name: str, *policies: str) -> str:
    """Make a role for functions, unless there is one; answers its ARN.

    ``policies`` are AWS's own, by their names. There is no client of botocore here: its model of
    IAM takes longer to read than all this.
    """
    trust = {"RoleName": name, "AssumeRolePolicyDocument": TRUST}
    answer = _call(endpoint, key, "CreateRole", trust) or _call(
        endpoint, key, "GetRole", {"RoleName": name}
    )
    for policy in policies:
        attachment = {"RoleName": name, "PolicyArn": _MANAGED + policy}
        _call(endpoint, key, "AttachRolePolicy", attachment)
    found = _ARN.search(answer)
    assert found, answer
    return found[1]


def _call(endpoint: str, key: tuple[str, str], action: str, members: Mapping[str, str]) -> str:
    """Call IAM; the answer is empty if there is one of that name already."""
    body = urlencode({"Action": action, "Version": "2010-05-08", **members})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", f"{endpoint}/", data=body, headers=headers)
    SigV4Auth(Credentials(*key), "iam", _REGION).add_auth(request)
    connection = open_connection(endpoint, timeout_s=60)
    try:
        connection.request("POST", "/", body, dict(request.headers.items()))
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    assert answer.status == 200 or "EntityAlreadyExists" in text, text
    return text if answer.status == 200 else ""

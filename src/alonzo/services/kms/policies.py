"""Key policies: the default one, that of services' keys, and what may be stored.

Source: KMS developer guide, default key policy; AWS managed keys; key policies in AWS KMS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from alonzo.lib.policies.compiled import PolicyError, Request
from alonzo.lib.policies.evaluation import grant_of
from alonzo.lib.policies.grammar import read_resource_based
from alonzo.lib.policies.principals import Grant
from alonzo.model.callers import caller_of
from alonzo.model.context import Principal
from alonzo.services.kms.errors import malformed_policy

#: The only name that a key policy can have.
POLICY_NAME = "default"


def default_policy(account: str) -> str:
    """The policy of a key that was made without one: the account decides by its own policies."""
    return _text(
        "key-default-1",
        {
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
    )


def managed_policy(service: str, account: str, region: str) -> str:
    """The policy of a service's own key: everybody in the account, through the service only."""
    return _text(
        f"auto-{service}-1",
        {
            "Sid": f"Allow access through {service} for all principals in the account that are "
            f"authorized to use {service}",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncrypt*",
                "kms:GenerateDataKey*",
                "kms:CreateGrant",
                "kms:DescribeKey",
            ],
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "kms:CallerAccount": account,
                    "kms:ViaService": f"{service}.{region}.amazonaws.com",
                }
            },
        },
        {
            "Sid": "Allow direct access to key metadata to the account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
            "Resource": "*",
        },
    )


def check_policy(text: str, *, key_arn: str, principal: Principal, bypass: bool) -> None:
    """Refuse a document that is no key policy, or one that would lock its author out.

    ``bypass``: the author may lock themselves out.

    Raises:
        AwsError: MalformedPolicyDocumentException. Its texts are ours, but for the last one.
    """
    try:
        _, policy = read_resource_based(text, key_arn)
    except PolicyError as error:
        raise malformed_policy(str(error)) from error
    if bypass:
        return
    account = key_arn.split(":")[4]
    request = Request("kms:PutKeyPolicy", key_arn, caller_of(principal), account)
    if grant_of(request, policy) is Grant.NONE:
        raise malformed_policy(
            "The new key policy will not allow you to update the key policy in the future."
        )


def _text(name: str, *statements: Mapping[str, Any]) -> str:
    document = {"Version": "2012-10-17", "Id": name, "Statement": list(statements)}
    return json.dumps(document, indent=2)

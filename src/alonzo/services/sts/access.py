"""What the operations of STS need to be allowed.

AssumeRole and AssumeRoleWithWebIdentity are decided where the role's trust policy is
(``services/iam``); GetCallerIdentity and GetSessionToken need no permission.

Source: service authorization reference, AWS Security Token Service.
"""

from __future__ import annotations

from alonzo.model.access import AccessRules, free, on_all


def access_rules() -> AccessRules:
    """The rules, by operation."""
    return {
        "AssumeRole": free(),
        "AssumeRoleWithWebIdentity": free(),
        "GetAccessKeyInfo": on_all("sts:GetAccessKeyInfo"),
        "GetCallerIdentity": free(),
        "GetSessionToken": free(),
    }

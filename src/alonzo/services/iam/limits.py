"""Quotas of IAM. Source: IAM user guide, IAM and AWS STS quotas."""

from __future__ import annotations

#: Entities of one kind in an account, by the name that refusals use.
ENTITIES_MAX = {
    "user": ("UsersPerAccount", 5000),
    "group": ("GroupsPerAccount", 300),
    "role": ("RolesPerAccount", 1000),
    "policy": ("Policies", 1500),
    "instance-profile": ("InstanceProfilesPerAccount", 1000),
    "oidc-provider": ("OpenIdConnectProvidersPerAccount", 100),
}
KEYS_PER_USER_MAX = 2
GROUPS_PER_USER_MAX = 10
ATTACHED_MAX = 10
VERSIONS_MAX = 5
TAGS_MAX = 50

#: Characters of policies without white space. Inline ones count together.
MANAGED_CHARS_MAX = 6144
INLINE_CHARS_MAX = {"user": 2048, "group": 5120, "role": 10240}
TRUST_CHARS_MAX = 2048

PAGE_DEFAULT = 100
PAGE_MAX = 1000

#: Seconds that a session of a role may last, at least and by default at most.
SESSION_S_MIN = 900
SESSION_S_DEFAULT = 3600
#: Source: STS API reference, AssumeRole: role chaining.
CHAINED_SESSION_S_MAX = 3600
#: Source: STS API reference, GetSessionToken.
USER_SESSION_S_MAX = 129_600
USER_SESSION_S_DEFAULT = 43_200
ROOT_SESSION_S_MAX = 3600
SESSION_POLICY_CHARS_MAX = 2048

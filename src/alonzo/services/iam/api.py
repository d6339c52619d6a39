"""AWS IAM as a service: its operations by name, and why the others are missing."""

from __future__ import annotations

from alonzo.model.ports.operations import Operations
from alonzo.services.iam.access_keys import AccessKeyOperations
from alonzo.services.iam.account import AccountOperations
from alonzo.services.iam.attachments import AttachmentOperations
from alonzo.services.iam.groups import GroupOperations
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.inline import InlineOperations
from alonzo.services.iam.instance_profiles import InstanceProfileOperations
from alonzo.services.iam.oidc_providers import OidcProviderOperations
from alonzo.services.iam.operations import WORDS
from alonzo.services.iam.policies import PolicyOperations
from alonzo.services.iam.records import Kind
from alonzo.services.iam.roles import RoleOperations
from alonzo.services.iam.service_linked import ServiceLinkedRoleOperations
from alonzo.services.iam.simulation import SimulationOperations
from alonzo.services.iam.tagging import TagOperations
from alonzo.services.iam.users import UserOperations

_MISSING = {
    "There is no console to sign in to, so users have no passwords and no second factor.": (
        "ChangePassword",
        "CreateLoginProfile",
        "CreateVirtualMFADevice",
        "DeactivateMFADevice",
        "DeleteAccountPasswordPolicy",
        "DeleteLoginProfile",
        "DeleteVirtualMFADevice",
        "EnableMFADevice",
        "GetAccountPasswordPolicy",
        "GetLoginProfile",
        "GetMFADevice",
        "ListMFADeviceTags",
        "ListMFADevices",
        "ListVirtualMFADevices",
        "ResyncMFADevice",
        "TagMFADevice",
        "UntagMFADevice",
        "UpdateAccountPasswordPolicy",
        "UpdateLoginProfile",
    ),
    "Only providers of OpenID Connect are known to the platform, and it is none itself.": (
        "CreateSAMLProvider",
        "DeleteSAMLProvider",
        "DisableOutboundWebIdentityFederation",
        "EnableOutboundWebIdentityFederation",
        "GetOutboundWebIdentityFederationInfo",
        "GetSAMLProvider",
        "ListSAMLProviderTags",
        "ListSAMLProviders",
        "TagSAMLProvider",
        "UntagSAMLProvider",
        "UpdateSAMLProvider",
    ),
    "Only access keys sign requests here, no certificates and no keys of other services.": (
        "CreateServiceSpecificCredential",
        "DeleteSSHPublicKey",
        "DeleteServerCertificate",
        "DeleteServiceSpecificCredential",
        "DeleteSigningCertificate",
        "GetSSHPublicKey",
        "GetServerCertificate",
        "ListSSHPublicKeys",
        "ListServerCertificateTags",
        "ListServerCertificates",
        "ListServiceSpecificCredentials",
        "ListSigningCertificates",
        "ResetServiceSpecificCredential",
        "TagServerCertificate",
        "UntagServerCertificate",
        "UpdateSSHPublicKey",
        "UpdateServerCertificate",
        "UpdateServiceSpecificCredential",
        "UpdateSigningCertificate",
        "UploadSSHPublicKey",
        "UploadServerCertificate",
        "UploadSigningCertificate",
    ),
    "Accounts of the platform belong to no organization.": (
        "DisableOrganizationsRootCredentialsManagement",
        "DisableOrganizationsRootSessions",
        "EnableOrganizationsRootCredentialsManagement",
        "EnableOrganizationsRootSessions",
        "GenerateOrganizationsAccessReport",
        "GetOrganizationsAccessReport",
        "ListOrganizationsFeatures",
    ),
    "Rights are not delegated by requests; give a role to assume.": (
        "AcceptDelegationRequest",
        "AcquireRole",
        "AssociateDelegationRequest",
        "CreateDelegationRequest",
        "GetDelegationRequest",
        "GetHumanReadableSummary",
        "GetRoleTemplateVersion",
        "ListDelegationRequests",
        "RejectDelegationRequest",
        "SendDelegationToken",
        "UpdateDelegationRequest",
    ),
    "Reports of what was used are not written; GetAccessKeyLastUsed and GetRole say when.": (
        "GenerateCredentialReport",
        "GenerateServiceLastAccessedDetails",
        "GetCredentialReport",
        "GetServiceLastAccessedDetails",
        "GetServiceLastAccessedDetailsWithEntities",
        "ListPoliciesGrantingServiceAccess",
    ),
    "The account has no settings here.": (
        "GetAccountProperties",
        "PutAccountProperties",
        "SetSecurityTokenServicePreferences",
    ),
}

#: Operations of the service model that are not implemented, and why.
UNSUPPORTED = {name: reason for reason, names in _MISSING.items() for name in names}


def operations(identities: Identities) -> Operations:
    """The operations of IAM."""
    users, keys = UserOperations(identities), AccessKeyOperations(identities)
    groups, roles = GroupOperations(identities), RoleOperations(identities)
    policies, profiles = PolicyOperations(identities), InstanceProfileOperations(identities)
    linked, account = ServiceLinkedRoleOperations(identities), AccountOperations(identities)
    simulation = SimulationOperations(identities)
    return {
        **_inline_and_attached(identities),
        **_tagging(identities),
        **_federation(identities),
        "AddRoleToInstanceProfile": profiles.add_role_to_instance_profile,
        "AddUserToGroup": groups.add_user_to_group,
        "CreateAccessKey": keys.create_access_key,
        "CreateAccountAlias": account.create_account_alias,
        "CreateGroup": groups.create_group,
        "CreateInstanceProfile": profiles.create_instance_profile,
        "CreatePolicy": policies.create_policy,
        "CreatePolicyVersion": policies.create_policy_version,
        "CreateRole": roles.create_role,
        "CreateServiceLinkedRole": linked.create_service_linked_role,
        "CreateUser": users.create_user,
        "DeleteAccessKey": keys.delete_access_key,
        "DeleteAccountAlias": account.delete_account_alias,
        "DeleteGroup": groups.delete_group,
        "DeleteInstanceProfile": profiles.delete_instance_profile,
        "DeletePolicy": policies.delete_policy,
        "DeletePolicyVersion": policies.delete_policy_version,
        "DeleteRole": roles.delete_role,
        "DeleteServiceLinkedRole": linked.delete_service_linked_role,
        "DeleteUser": users.delete_user,
        "GetAccessKeyLastUsed": keys.get_access_key_last_used,
        "GetAccountAuthorizationDetails": account.get_account_authorization_details,
        "GetAccountSummary": account.get_account_summary,
        "GetContextKeysForCustomPolicy": simulation.get_context_keys_for_custom_policy,
        "GetContextKeysForPrincipalPolicy": simulation.get_context_keys_for_principal_policy,
        "GetGroup": groups.get_group,
        "GetInstanceProfile": profiles.get_instance_profile,
        "GetPolicy": policies.get_policy,
        "GetPolicyVersion": policies.get_policy_version,
        "GetRole": roles.get_role,
        "GetServiceLinkedRoleDeletionStatus": linked.get_service_linked_role_deletion_status,
        "GetUser": users.get_user,
        "ListAccessKeys": keys.list_access_keys,
        "ListAccountAliases": account.list_account_aliases,
        "ListEntitiesForPolicy": policies.list_entities_for_policy,
        "ListGroups": groups.list_groups,
        "ListGroupsForUser": groups.list_groups_for_user,
        "ListInstanceProfiles": profiles.list_instance_profiles,
        "ListInstanceProfilesForRole": profiles.list_instance_profiles_for_role,
        "ListPolicies": policies.list_policies,
        "ListPolicyVersions": policies.list_policy_versions,
        "ListRoles": roles.list_roles,
        "ListUsers": users.list_users,
        "RemoveRoleFromInstanceProfile": profiles.remove_role_from_instance_profile,
        "RemoveUserFromGroup": groups.remove_user_from_group,
        "SetDefaultPolicyVersion": policies.set_default_policy_version,
        "SimulateCustomPolicy": simulation.simulate_custom_policy,
        "SimulatePrincipalPolicy": simulation.simulate_principal_policy,
        "UpdateAccessKey": keys.update_access_key,
        "UpdateAssumeRolePolicy": roles.update_assume_role_policy,
        "UpdateGroup": groups.update_group,
        "UpdateRole": roles.update_role,
        "UpdateRoleDescription": roles.update_role_description,
        "UpdateUser": users.update_user,
    }


def _federation(identities: Identities) -> Operations:
    providers = OidcProviderOperations(identities)
    return {
        "AddClientIDToOpenIDConnectProvider": providers.add_client,
        "CreateOpenIDConnectProvider": providers.create,
        "DeleteOpenIDConnectProvider": providers.delete,
        "GetOpenIDConnectProvider": providers.get,
        "ListOpenIDConnectProviderTags": providers.list_tags,
        "ListOpenIDConnectProviders": providers.list,
        "RemoveClientIDFromOpenIDConnectProvider": providers.remove_client,
        "TagOpenIDConnectProvider": providers.tag,
        "UntagOpenIDConnectProvider": providers.untag,
        "UpdateOpenIDConnectProviderThumbprint": providers.update_thumbprint,
    }


def _inline_and_attached(identities: Identities) -> Operations:
    found: Operations = {}
    for kind in (Kind.USER, Kind.GROUP, Kind.ROLE):
        word = WORDS[kind]
        inline, attached = (
            InlineOperations(identities, kind),
            AttachmentOperations(identities, kind),
        )
        found = {
            **found,
            f"Put{word}Policy": inline.put,
            f"Get{word}Policy": inline.get,
            f"Delete{word}Policy": inline.delete,
            f"List{word}Policies": inline.list,
            f"Attach{word}Policy": attached.attach,
            f"Detach{word}Policy": attached.detach,
            f"ListAttached{word}Policies": attached.list,
        }
        if kind is not Kind.GROUP:
            found = {
                **found,
                f"Put{word}PermissionsBoundary": attached.put_boundary,
                f"Delete{word}PermissionsBoundary": attached.delete_boundary,
            }
    return found


def _tagging(identities: Identities) -> Operations:
    found: Operations = {}
    for kind in (Kind.USER, Kind.ROLE, Kind.POLICY, Kind.PROFILE):
        word, tags = WORDS[kind], TagOperations(identities, kind)
        found = {
            **found,
            f"Tag{word}": tags.tag,
            f"Untag{word}": tags.untag,
            f"List{word}Tags": tags.list,
        }
    return found

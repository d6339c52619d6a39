"""AWS KMS as a service: its operations by name."""

from __future__ import annotations

from alonzo.model.ports.operations import Operations
from alonzo.services.kms.aliases import AliasOperations
from alonzo.services.kms.cryptography_operations import CryptographicOperations
from alonzo.services.kms.grants import GrantOperations
from alonzo.services.kms.keys import KeyOperations
from alonzo.services.kms.rotation import RotationOperations
from alonzo.services.kms.use import KeyUse


def operations(use: KeyUse) -> Operations:
    """The operations of KMS."""
    vault = use.vault
    keys = KeyOperations(vault)
    aliases = AliasOperations(vault)
    grants = GrantOperations(vault)
    rotation = RotationOperations(vault)
    cryptography = CryptographicOperations(use)
    return {
        "CancelKeyDeletion": keys.cancel_key_deletion,
        "CreateAlias": aliases.create_alias,
        "CreateGrant": grants.create_grant,
        "CreateKey": keys.create_key,
        "Decrypt": cryptography.decrypt,
        "DeleteAlias": aliases.delete_alias,
        "DescribeKey": keys.describe_key,
        "DisableKey": keys.disable_key,
        "DisableKeyRotation": rotation.disable_key_rotation,
        "EnableKey": keys.enable_key,
        "EnableKeyRotation": rotation.enable_key_rotation,
        "Encrypt": cryptography.encrypt,
        "GenerateDataKey": cryptography.generate_data_key,
        "GenerateDataKeyWithoutPlaintext": cryptography.generate_data_key_without_plaintext,
        "GenerateRandom": cryptography.generate_random,
        "GetKeyPolicy": keys.get_key_policy,
        "GetKeyRotationStatus": rotation.get_key_rotation_status,
        "ListAliases": aliases.list_aliases,
        "ListGrants": grants.list_grants,
        "ListKeyPolicies": keys.list_key_policies,
        "ListKeyRotations": rotation.list_key_rotations,
        "ListKeys": keys.list_keys,
        "ListResourceTags": keys.list_resource_tags,
        "ListRetirableGrants": grants.list_retirable_grants,
        "PutKeyPolicy": keys.put_key_policy,
        "ReEncrypt": cryptography.re_encrypt,
        "RetireGrant": grants.retire_grant,
        "RevokeGrant": grants.revoke_grant,
        "RotateKeyOnDemand": rotation.rotate_key_on_demand,
        "ScheduleKeyDeletion": keys.schedule_key_deletion,
        "TagResource": keys.tag_resource,
        "UntagResource": keys.untag_resource,
        "UpdateAlias": aliases.update_alias,
        "UpdateKeyDescription": keys.update_key_description,
    }

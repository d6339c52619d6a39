"""AWS Secrets Manager as a service: its operations by name."""

from __future__ import annotations

from alonzo.model.ports.identity import Encryption, ResourcePolicies
from alonzo.model.ports.operations import Operations
from alonzo.services.secretsmanager.directory import Directory
from alonzo.services.secretsmanager.rotation import RotationOperations
from alonzo.services.secretsmanager.rotator import Rotator
from alonzo.services.secretsmanager.secrets import SecretOperations
from alonzo.services.secretsmanager.values import Values
from alonzo.services.secretsmanager.versions import Authorize, VersionOperations


def operations(
    *,
    directory: Directory,
    encryption: Encryption,
    rotator: Rotator,
    function_policies: ResourcePolicies,
    authorize: Authorize,
) -> Operations:
    """The operations of Secrets Manager.

    ``function_policies`` say whether it may call a rotation function; ``authorize`` lets a caller
    read one secret of a batch.
    """
    values = Values(encryption)
    versions = VersionOperations(directory, values, authorize)
    secrets = SecretOperations(directory, values, versions)
    rotation = RotationOperations(directory, rotator, function_policies)
    return {
        "BatchGetSecretValue": versions.batch_get_secret_value,
        "CancelRotateSecret": rotation.cancel_rotate_secret,
        "CreateSecret": secrets.create_secret,
        "DeleteResourcePolicy": secrets.delete_resource_policy,
        "DeleteSecret": secrets.delete_secret,
        "DescribeSecret": secrets.describe_secret,
        "GetRandomPassword": versions.get_random_password,
        "GetResourcePolicy": secrets.get_resource_policy,
        "GetSecretValue": versions.get_secret_value,
        "ListSecretVersionIds": versions.list_secret_version_ids,
        "ListSecrets": secrets.list_secrets,
        "PutResourcePolicy": secrets.put_resource_policy,
        "PutSecretValue": versions.put_secret_value,
        "RestoreSecret": secrets.restore_secret,
        "RotateSecret": rotation.rotate_secret,
        "TagResource": secrets.tag_resource,
        "UntagResource": secrets.untag_resource,
        "UpdateSecret": secrets.update_secret,
        "UpdateSecretVersionStage": versions.update_secret_version_stage,
        "ValidateResourcePolicy": secrets.validate_resource_policy,
    }

"""The operations of KMS's service model that are not here, each with the reason."""

from __future__ import annotations

_MISSING = {
    "Keys are symmetric encryption keys; asymmetric and HMAC keys are not built.": (
        "Decapsulate",
        "DeriveSharedSecret",
        "Encapsulate",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateMac",
        "GetPublicKey",
        "Sign",
        "Verify",
        "VerifyMac",
    ),
    "Key material is made by the platform; none can be imported.": (
        "DeleteImportedKeyMaterial",
        "GetParametersForImport",
        "ImportKeyMaterial",
    ),
    "Keys are kept in the platform's own store; there are no custom key stores.": (
        "ConnectCustomKeyStore",
        "CreateCustomKeyStore",
        "DeleteCustomKeyStore",
        "DescribeCustomKeyStores",
        "DisconnectCustomKeyStore",
        "UpdateCustomKeyStore",
    ),
    "Multi-Region keys are not built.": ("ReplicateKey", "UpdatePrimaryRegion"),
    "The last use of a key is not recorded.": ("GetKeyLastUsage",),
}

#: Operations of the service model that are not implemented, and why.
UNSUPPORTED = {name: reason for reason, names in _MISSING.items() for name in names}

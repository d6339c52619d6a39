"""The operations of SNS's service model that are not here, each with the reason."""

from __future__ import annotations

_MISSING = {
    "Push notifications need the servers of Apple, Google and others.": (
        "CreatePlatformApplication",
        "CreatePlatformEndpoint",
        "DeleteEndpoint",
        "DeletePlatformApplication",
        "GetEndpointAttributes",
        "GetPlatformApplicationAttributes",
        "ListEndpointsByPlatformApplication",
        "ListPlatformApplications",
        "SetEndpointAttributes",
        "SetPlatformApplicationAttributes",
    ),
    "Text messages need a carrier.": (
        "CheckIfPhoneNumberIsOptedOut",
        "CreateSMSSandboxPhoneNumber",
        "DeleteSMSSandboxPhoneNumber",
        "GetSMSAttributes",
        "GetSMSSandboxAccountStatus",
        "ListOriginationNumbers",
        "ListPhoneNumbersOptedOut",
        "ListSMSSandboxPhoneNumbers",
        "OptInPhoneNumber",
        "SetSMSAttributes",
        "VerifySMSSandboxPhoneNumber",
    ),
    "Messages are not searched for sensitive data; AWS has closed that to new customers.": (
        "GetDataProtectionPolicy",
        "PutDataProtectionPolicy",
    ),
}

#: Operations of the service model that are not implemented, and why.
UNSUPPORTED = {name: reason for reason, names in _MISSING.items() for name in names}

"""Errors that Lambda's operations document and that have no row beside.

Some are shown by a test that needs more than a running platform; the others cannot happen here, and
say why.
"""

from __future__ import annotations

from collections.abc import Mapping

_STORAGE = (
    "tests/integration/test_control_operations.py::test_code_past_the_accounts_storage_is_refused"
)
_FAILURE = "tests/unit/edge/test_app.py::test_failure_of_ours_tells_the_client_nothing"
_UNOPENED = (
    "tests/unit/environments/test_sealed_variables.py::"
    "test_what_kms_refuses_is_told_in_lambdas_words"
)
_BUSY = (
    "tests/integration/test_event_sources.py::"
    "test_states_are_durable_and_a_busy_mapping_takes_no_request"
)

#: What keeps environment variables closed. Some are shown by a running platform, too.
_KMS = ("KMSAccessDenied", "KMSDisabled", "KMSInvalidState", "KMSNotFound")

#: Of calls, whose answers come whole or streamed: what refuses them is the same.
_OF_CALLS = {
    **dict.fromkeys(_KMS, _UNOPENED),
    "RecursiveInvocation": (
        "tests/conformance/test_versions_and_aliases.py::"
        "test_a_loop_ends_at_the_seventeenth_call_unless_it_may_go_on"
    ),
    "InvalidRuntime": "tests/conformance/test_isolation_none.py::test_tenants_are_not_put_together",
    "SnapStart": (
        "tests/conformance/test_snap_start.py::"
        "test_an_after_restore_hook_that_fails_is_the_callers_error"
    ),
    "SnapStartTimeout": (
        "tests/conformance/test_snap_start.py::"
        "test_an_after_restore_hook_that_takes_too_long_is_the_callers_error"
    ),
}

#: By operation and error: the test that shows it. An empty operation stands for all.
ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("", "Service"): _FAILURE,
    ("AddLayerVersionPermission", "PolicyLengthExceeded"): (
        "tests/integration/test_layers_shared.py::"
        "test_a_layers_policy_is_never_longer_than_twenty_kilobytes"
    ),
    ("AddPermission", "PolicyLengthExceeded"): (
        "tests/integration/test_permissions.py::test_a_policy_is_never_longer_than_twenty_kilobytes"
    ),
    ("PutResourcePolicy", "PolicyLengthExceeded"): (
        "tests/integration/test_permissions_documents.py::"
        "test_the_limit_counts_bytes_of_the_compact_document"
    ),
    ("CreateFunction", "CodeStorageExceeded"): _STORAGE,
    ("UpdateFunctionCode", "CodeStorageExceeded"): _STORAGE,
    ("PublishLayerVersion", "CodeStorageExceeded"): (
        "tests/integration/test_layers.py::test_limits_are_refused_just_past_them"
    ),
    ("PublishVersion", "CodeStorageExceeded"): (
        "tests/integration/test_control_versions.py::test_versions_count_for_the_accounts_storage"
    ),
    ("DeleteEventSourceMapping", "ResourceInUse"): _BUSY,
    ("UpdateEventSourceMapping", "ResourceInUse"): _BUSY,
    ("UpdateEventSourceMapping", "ResourceConflict"): (
        "tests/integration/test_event_sources.py::"
        "test_an_update_does_not_make_a_second_mapping_of_the_same"
    ),
    ("TagResource", "ResourceConflict"): (
        "tests/integration/test_control_lifecycle.py::"
        "test_updates_and_tags_are_refused_during_an_update"
    ),
    **{
        (operation, error): test
        for operation in ("Invoke", "InvokeWithResponseStream")
        for error, test in _OF_CALLS.items()
    },
}

_UNTHROTTLED = "Calls of the control plane are not counted: no rate of them is refused."
_IN_TURN = "Changes of it take turns in the store, and none has to wait for a deployment."
_EDGE = "The framework has refused every value that the operation would: ValidationException."
_NO_VPC = "There are no VPCs, so a version in one is never ready to be called."
_NO_FILES = "There are no file systems, so a version with one is never ready to be called."
_AHEAD = (
    "A version with SnapStart is called once it is prepared; what is missing later is made then."
)
_EVENT = "The event is accepted, and what goes wrong then is the event's: it is retried."
_RUNTIMES = "There are no customer-managed runtimes."
_NOT_IN_USE = "A configuration that a function has cannot be deleted."
_NO_ERROR = "Recorded: a function without one is no error."

#: By error: why no operation can have it.
NEVER: Mapping[str, str] = {
    "AliasLimitExceeded": "The number of aliases has no limit.",
    "CodeArtifactUserDeleted": "Code is kept from the moment it is accepted.",
    "CodeArtifactUserFailed": "Code is kept from the moment it is accepted.",
    "CodeArtifactUserPending": "Code is kept from the moment it is accepted.",
    "DurableExecutionAlreadyStarted": "Durable functions are not supported yet.",
    "EC2AccessDenied": _NO_VPC,
    "EC2Throttled": _NO_VPC,
    "EC2Unexpected": _NO_VPC,
    "EFSIO": _NO_FILES,
    "EFSMountConnectivity": _NO_FILES,
    "EFSMountFailure": _NO_FILES,
    "EFSMountTimeout": _NO_FILES,
    "ENILimitReached": _NO_VPC,
    "ENINotReady": _NO_VPC,
    "FunctionVersionsPerCapacityProviderLimitExceeded": "Capacity providers are not supported.",
    "InvalidCodeSignature": "No signature is read, so none is found to be broken.",
    "InvalidSecurityGroupID": _NO_VPC,
    "InvalidSubnetID": _NO_VPC,
    "InvalidZipFile": "A package is unpacked before it is called; a damaged one is our failure.",
    "ModeNotSupported": "Every mode of calling is for every function.",
    "NoPublishedVersion": "Only functions with a capacity provider are called as published.",
    "PublicPolicy": "No account blocks public policies.",
    "RequestTooLarge": "AWS was seen to answer RequestEntityTooLargeException, and so do we.",
    "ResourceNotReady": "What is not ready is a conflict, as AWS was recorded.",
    "RuntimeAliasDeleted": _RUNTIMES,
    "RuntimeVersionDeleted": _RUNTIMES,
    "S3FilesMountConnectivity": _NO_FILES,
    "S3FilesMountFailure": _NO_FILES,
    "S3FilesMountTimeout": _NO_FILES,
    "SerializedRequestEntityTooLarge": "Payloads have one limit, and it counts what is sent.",
    "ServiceQuotaExceeded": "Nothing is bought, so no quota of that kind ends.",
    "SnapStartNotReady": _AHEAD,
    "SnapStartRegenerationFailure": _AHEAD,
    "SubnetIPAddressLimitReached": _NO_VPC,
    "UnsupportedMediaType": "A payload is JSON, whatever the request calls it.",
}

#: By operation and error: why that operation cannot have it.
NEVER_THERE: Mapping[tuple[str, str], str] = {
    **dict.fromkeys(
        [
            ("DeleteAlias", "ResourceConflict"),
            ("DeleteEventSourceMapping", "ResourceConflict"),
            ("DeleteFunctionCodeSigningConfig", "ResourceConflict"),
            ("DeleteFunctionConcurrency", "ResourceConflict"),
            ("DeleteFunctionEventInvokeConfig", "ResourceConflict"),
            ("DeleteFunctionUrlConfig", "ResourceConflict"),
            ("DeleteProvisionedConcurrencyConfig", "ResourceConflict"),
            ("DeleteResourcePolicy", "ResourceConflict"),
            ("PutFunctionCodeSigningConfig", "ResourceConflict"),
            ("PutFunctionConcurrency", "ResourceConflict"),
            ("PutFunctionEventInvokeConfig", "ResourceConflict"),
            ("PutFunctionRecursionConfig", "ResourceConflict"),
            ("PutResourcePolicy", "ResourceConflict"),
            ("PutRuntimeManagementConfig", "ResourceConflict"),
            ("RemoveLayerVersionPermission", "ResourceConflict"),
            ("UntagResource", "ResourceConflict"),
            ("UpdateAlias", "ResourceConflict"),
            ("UpdateFunctionEventInvokeConfig", "ResourceConflict"),
            ("UpdateFunctionUrlConfig", "ResourceConflict"),
        ],
        _IN_TURN,
    ),
    **dict.fromkeys(
        [
            ("DeleteCodeSigningConfig", "InvalidParameterValue"),
            ("DeleteEventSourceMapping", "InvalidParameterValue"),
            ("DeleteResourcePolicy", "InvalidParameterValue"),
            ("GetCodeSigningConfig", "InvalidParameterValue"),
            ("GetEventSourceMapping", "InvalidParameterValue"),
            ("GetFunctionRecursionConfig", "InvalidParameterValue"),
            ("GetLayerVersionByArn", "InvalidParameterValue"),
            ("GetResourcePolicy", "InvalidParameterValue"),
            ("PutFunctionRecursionConfig", "InvalidParameterValue"),
            ("UpdateCodeSigningConfig", "InvalidParameterValue"),
        ],
        _EDGE,
    ),
    ("DeleteFunctionCodeSigningConfig", "CodeSigningConfigNotFound"): _NO_ERROR,
    ("GetFunctionCodeSigningConfig", "CodeSigningConfigNotFound"): _NO_ERROR,
    ("UpdateFunctionCode", "CodeSigningConfigNotFound"): _NOT_IN_USE,
    ("UpdateFunctionConfiguration", "CodeSigningConfigNotFound"): _NOT_IN_USE,
    **dict.fromkeys(
        [
            ("InvokeAsync", error)
            for error in ("InvalidRuntime", "SnapStart", "SnapStartTimeout", *_KMS)
        ],
        _EVENT,
    ),
}

#: The operations whose calls are counted.
_THROTTLED = frozenset({"Invoke", "InvokeWithResponseStream"})


def accounted(operation: str, error: str) -> str | None:
    """The test that shows the error elsewhere, or why it cannot happen; None for neither.

    ``error`` is without ``Exception`` at its end.
    """
    if error == "TooManyRequests" and operation not in _THROTTLED:
        return _UNTHROTTLED
    pair = (operation, error)
    return (
        ELSEWHERE.get(pair)
        or ELSEWHERE.get(("", error))
        or NEVER_THERE.get(pair)
        or NEVER.get(error)
    )

"""What SnapStart decides: who can have a snapshot, what it knows, how it fails. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alonzo.environments.inits import TIMEOUT, InitFailure
from alonzo.environments.package import Package
from alonzo.model.errors import AwsError

#: The time for an init that no call waits for, if the function's own is not longer.
#: Source: Lambda developer guide, execution environment lifecycle.
INIT_S_MIN = 130.0

#: The time for a restore, after-restore hooks included. Source: the same guide, SnapStart.
RESTORE_S_MAX = 10.0

#: Tells our bootstrap to become a template.
_SNAPSHOT = "_ALONZO_SNAPSHOT"

_URI, _TOKEN = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"

#: What would be wrong in a fork, or in a fork's fork of time.
#: Source: Lambda developer guide, environment variables: SnapStart functions do not have them.
_ABSENT = frozenset(
    {
        *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    }
)


def why_not(package: Package, extensions: Sequence[str]) -> str | None:
    """Why a version can have no snapshot, or None."""
    if package.launch.preloads is None:
        return "only the Python runtimes can be restored from a snapshot here"
    if extensions:
        return "its layers bring extensions, whose processes cannot be restored"
    return None


def template_variables(variables: Mapping[str, str], *, api: str, token: str) -> dict[str, str]:
    """The variables of a process that becomes a template. ``api`` serves its credentials."""
    kept = {name: text for name, text in variables.items() if name not in _ABSENT}
    return {**kept, _URI: f"http://{api}/credentials", _TOKEN: token, _SNAPSHOT: "1"}


def restore_variables(token: str) -> dict[str, str]:
    """What is different in each fork."""
    return {_TOKEN: token}


def restore_error(failure: InitFailure) -> AwsError:
    """What a caller is told whose environment could not be restored.

    Source: Lambda API, the errors of ``Invoke``.
    """
    if failure.error_type == TIMEOUT:
        return AwsError(
            "SnapStartTimeoutException",
            "Lambda couldn't restore the snapshot within the timeout limit.",
        )
    return AwsError(
        "SnapStartException",
        "The afterRestore() runtime hook encountered an error. For more information, check the "
        "Amazon CloudWatch logs.",
    )

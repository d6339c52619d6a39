"""What SnapStart decides: whose process can be forked, what it knows, how it fails. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alonzo.environments.home import Rung, rungs_of
from alonzo.environments.inits import TIMEOUT, InitFailure
from alonzo.environments.package import Package
from alonzo.model.errors import AwsError

#: The time for an init that no call waits for, if the function's own is not longer.
#: Source: Lambda developer guide, execution environment lifecycle.
INIT_S_MIN = 130.0

#: The time for a restore, after-restore hooks included. Source: the same guide, SnapStart.
RESTORE_S_MAX = 10.0

#: Tells our bootstrap that it will be forked.
TEMPLATE = {"_ALONZO_SNAPSHOT": "1"}

_URI, _TOKEN = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"

#: What would be wrong once a process is restored: later, or in another environment.
#: Source: Lambda developer guide, environment variables: SnapStart functions do not have them.
_ABSENT = frozenset(
    {
        *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    }
)


def can_be_forked(
    package: Package, extensions: Sequence[str], variables: Mapping[str, str]
) -> bool:
    """Whether forks of one initialised process can be what a version is restored from.

    ``variables`` are the user's own. Only Python forks, nothing that runs beside it does, and some
    variables count only when a program is executed.
    """
    return not extensions and rungs_of(package.launch, variables)[0] is Rung.FORK


def snapshot_variables(variables: Mapping[str, str], *, api: str, token: str) -> dict[str, str]:
    """The variables of a process that is to be restored. ``api`` serves its credentials."""
    kept = {name: text for name, text in variables.items() if name not in _ABSENT}
    return {**kept, _URI: f"http://{api}/credentials", _TOKEN: token}


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

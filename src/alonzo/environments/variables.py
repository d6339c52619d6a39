"""The environment variables of a runtime process.

Source: Lambda developer guide, environment variables, and recordings of real environments.
"""

from __future__ import annotations

from collections.abc import Mapping

from alonzo.environments.extensions import wrapper
from alonzo.environments.parameters_rules import port_of
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.identity import AccessKey
from alonzo.sandbox.places import placed

#: What every managed runtime has, whatever its language.
_COMMON = {
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": (
        "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
    ),
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    # The loopback, where AWS has an address of its own (169.254.100.1): what the X-Ray SDK sends to
    # nobody there is lost without an error, which it would write into the function's log.
    "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
    "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
    "_AWS_XRAY_DAEMON_PORT": "2000",
}

#: Reserved, and known as soon as there is a function.
MEMORY_SIZE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"

#: Tells a bootstrap to wait for its variables. No function ever sees a name that begins so.
_OURS = "_ALONZO_"
_PARK = "_ALONZO_PARK"
#: Where its sandbox is to listen beside what every sandbox does; for nobody inside.
LISTENS = "_ALONZO_LISTENS"

#: How an environment came to be. Source: Lambda developer guide, environment variables.
INITIALIZATION_TYPE = "AWS_LAMBDA_INITIALIZATION_TYPE"
ON_DEMAND = "on-demand"
PROVISIONED = "provisioned-concurrency"
SNAP_START = "snap-start"

RUNTIME_API_HOST = "127.0.0.1"
RUNTIME_API_PORT = 9001


def zygote_variables() -> dict[str, str]:
    """Where an interpreter that forks finds libraries; its forks look nowhere else."""
    return {"LD_LIBRARY_PATH": _COMMON["LD_LIBRARY_PATH"]}


def early_variables(version: ServingVersion) -> dict[str, str]:
    """Those of a function's variables that are known before it has an environment."""
    port = port_of(version)
    listens = {} if port is None else {LISTENS: str(port)}
    return {**version.environment, MEMORY_SIZE: str(version.memory_mib), **listens}


def parked_variables(
    of_runtime: Mapping[str, str], known: Mapping[str, str], *, root: str = ""
) -> dict[str, str]:
    """What a process starts with that is told later whose it is; ``known`` is all it knows."""
    return _below(root, {**_COMMON, **of_runtime, **known, _PARK: "1"}, of_runtime)


def _below(root: str, variables: dict[str, str], of_runtime: Mapping[str, str]) -> dict[str, str]:
    """The variables for processes of a sandbox with that ``root``.

    Those that the platform sets lead below it, whoever set them last; what else a user sets is
    left as it is.
    """
    if not root:
        return variables
    ours = _COMMON.keys() | of_runtime.keys() | {wrapper.VARIABLE}
    return {
        "TMPDIR": placed("/tmp", root),  # noqa: S108 - inside
        **{name: placed(text, root) if name in ours else text for name, text in variables.items()},
    }


def runtime_variables(
    version: ServingVersion,
    *,
    of_runtime: Mapping[str, str],
    log_stream: str,
    credentials: AccessKey,
    endpoint_port: int,
    runtime_api_port: int = RUNTIME_API_PORT,
    root: str = "",
    initialization_type: str = ON_DEMAND,
) -> dict[str, str]:
    """All variables, the reserved ones last, so that no user variable can replace one.

    The ports are those that the sandbox listens on, and ``root`` is its own.
    """
    reserved = {
        "_HANDLER": version.handler,
        "AWS_REGION": version.key.region,
        "AWS_DEFAULT_REGION": version.key.region,
        "AWS_LAMBDA_FUNCTION_NAME": version.key.name,
        "AWS_LAMBDA_FUNCTION_VERSION": version.version,
        MEMORY_SIZE: str(version.memory_mib),
        INITIALIZATION_TYPE: initialization_type,
        "AWS_LAMBDA_LOG_GROUP_NAME": version.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_LOG_FORMAT": version.log_format,
        "AWS_LAMBDA_RUNTIME_API": f"{RUNTIME_API_HOST}:{runtime_api_port}",
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token or "",
    }
    if not version.runtime.startswith("provided"):
        reserved["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{version.runtime}"
    if version.application_log_level is not None:
        reserved["AWS_LAMBDA_LOG_LEVEL"] = version.application_log_level
    # The endpoint is a default that a user may point elsewhere: AWS reserves no such name.
    endpoint = {"AWS_ENDPOINT_URL": f"http://{RUNTIME_API_HOST}:{endpoint_port}"}
    if root:
        # Sandboxes without a root of their own have no hosts file with the endpoint's other names.
        endpoint["AWS_DISABLE_HOST_PREFIX_INJECTION"] = "true"
    users = {k: v for k, v in version.environment.items() if not k.startswith(_OURS)}
    variables = {**_COMMON, **of_runtime, **endpoint, **users, **reserved}
    return _below(root, variables, of_runtime)

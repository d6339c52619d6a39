"""Lambda's own validation of a function's configuration, and the configuration that results.

The framework's validation (patterns, lengths, required members) has been done by the edge. Texts
are AWS's where a recording of them exists; where none does, the comment says so.

A *configuration* here is the part of the API's document that users set: a plain dictionary with
members as in the service model, which ``documents.py`` completes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from alonzo.control.attachments import ATTACHMENTS, plan_attachments
from alonzo.control.declined import DECLINED, DECLINED_CODE, check_declined
from alonzo.control.logging_config import plan_logging
from alonzo.control.refusals import broken, check_most, stale_revision
from alonzo.control.settings import ControlSettings
from alonzo.control.snap_start import check_snap_start
from alonzo.control.targets import plan_dead_letters
from alonzo.control.variables import check_environment
from alonzo.model import limits
from alonzo.model.errors import AwsError, access_denied, invalid_parameter
from alonzo.model.ports.invoking import RuntimeFacts
from alonzo.runtimes.base import RuntimeIdentifier

Configuration = dict[str, Any]

FUNCTION_NAME_MAX = 64


class RuntimeCatalog(RuntimeFacts, Protocol):
    """What this room asks about runtimes. Implemented by ``runtimes.registry``.

    ``unavailable()`` may start an interpreter to find out, so it is called from a thread, and its
    answer is for ``check_available()``.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Every identifier that AWS has."""
        ...

    def identifier(self, name: str) -> RuntimeIdentifier | None:
        """The identifier of that name, or None if no family offers it."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What every decision here depends on beside its arguments. ``today`` is UTC's."""

    settings: ControlSettings
    runtimes: RuntimeCatalog
    today: date


def plan_creation(params: Mapping[str, Any], name: str, rules: Rules) -> Configuration:
    """The configuration of a new function, from CreateFunction's parameters.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    check_declined(params, DECLINED)
    if not params.get("Runtime") or not params.get("Handler"):
        raise invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment "
            "packages."
        )
    check_runtime(params["Runtime"], rules, creating=True)
    configuration: Configuration = {
        "FunctionName": name,
        "Runtime": params["Runtime"],
        "Role": params["Role"],
        "Handler": params["Handler"],
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "PackageType": "Zip",
        "Architectures": [rules.settings.architecture],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    if (tenancy := params.get("TenancyConfig")) is not None:
        configuration["TenancyConfig"] = dict(tenancy)
    return _applied(configuration, params, rules)


def plan_update(
    current: Mapping[str, Any], params: Mapping[str, Any], rules: Rules
) -> Configuration:
    """The configuration after UpdateFunctionConfiguration: members left out stay as they are.

    ``Environment`` is replaced as a whole, ``LoggingConfig`` member by member.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    check_declined(params, DECLINED)
    runtime = params.get("Runtime", current["Runtime"])
    check_runtime(runtime, rules, creating=False)
    return _applied(dict(current), params, rules)


def plan_code_update(
    current: Mapping[str, Any], params: Mapping[str, Any], rules: Rules
) -> Configuration:
    """The configuration after UpdateFunctionCode, which may change the architecture.

    What it says of the old package's seal is gone.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    check_declined(params, DECLINED)
    if params.get("ImageUri"):
        raise invalid_parameter(
            "Please don't provide ImageUri when updating a function with packageType Zip."
        )
    check_runtime(current["Runtime"], rules, creating=False)
    kept = {name: value for name, value in current.items() if name != "SealedCode"}
    return _applied(kept, {"Architectures": params.get("Architectures")}, rules)


def _applied(
    configuration: Configuration, params: Mapping[str, Any], rules: Rules
) -> Configuration:
    """``configuration`` with what ``params`` say put in, and checked."""
    settings = rules.settings
    for member in ("Runtime", "Role", "Handler", "Description", "Timeout", "MemorySize"):
        if params.get(member) is not None:
            configuration[member] = params[member]
    if (architectures := params.get("Architectures")) is not None:
        check_architecture(architectures[0], settings.architecture)
        configuration["Architectures"] = list(architectures)
    if (snap_start := params.get("SnapStart")) is not None:
        apply_on = snap_start.get("ApplyOn") or configuration["SnapStart"]["ApplyOn"]
        configuration["SnapStart"] = {"ApplyOn": apply_on, "OptimizationStatus": "Off"}
    tracing: Mapping[str, Any] = params.get("TracingConfig") or {}
    if tracing.get("Mode") is not None:
        configuration["TracingConfig"] = {"Mode": tracing["Mode"]}
    if (storage := params.get("EphemeralStorage")) is not None:
        configuration["EphemeralStorage"] = {"Size": storage["Size"]}
    if (environment := params.get("Environment")) is not None:
        variables = dict(environment.get("Variables") or {})
        check_environment(variables)
        configuration["Environment"] = {"Variables": variables}
    if (logging_config := params.get("LoggingConfig")) is not None:
        configuration["LoggingConfig"] = plan_logging(
            configuration["LoggingConfig"], logging_config
        )
    if (dead_letters := plan_dead_letters(configuration, params)) is not None:
        configuration["DeadLetterConfig"] = dict(dead_letters)
    else:
        configuration.pop("DeadLetterConfig", None)
    attachments = plan_attachments(configuration, params)
    configuration = {k: v for k, v in configuration.items() if k not in ATTACHMENTS} | attachments
    check_snap_start(configuration)
    check_most("timeout", configuration["Timeout"], settings.timeout_s_max)
    check_most("memorySize", configuration["MemorySize"], settings.memory_mib_max)
    check_most(
        "ephemeralStorage.size", configuration["EphemeralStorage"]["Size"], settings.tmp_mib_max
    )
    return configuration


def check_name(name: str) -> None:
    """Refuse a new function's name that is too long. The model's own limit is that of an ARN.

    Raises:
        AwsError: InvalidParameterValueException, as AWS answers here and nowhere else.
    """
    if len(name) > FUNCTION_NAME_MAX:
        raise broken("functionName", name, f"have length less than or equal to {FUNCTION_NAME_MAX}")


def check_role(role: str | None, account: str) -> None:
    """Refuse a role of another account: the function would get that account's credentials.

    Source: public error reports of AWS Lambda.
    """
    if role is not None and role.split(":", 5)[4:5] != [account]:
        raise access_denied("Cross-account pass role is not allowed.")


def check_runtime(name: str, rules: Rules, *, creating: bool) -> None:
    """Refuse a runtime that does not exist, or is past its dates.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    identifier = rules.runtimes.identifier(name)
    if identifier is None:
        raise invalid_parameter(
            f"Value {name} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            f"value set: [{', '.join(rules.runtimes.names)}] or be a valid ARN"
        )
    last_day = identifier.create_until if creating else identifier.update_until
    if last_day is not None and rules.today > last_day:
        raise invalid_parameter(
            f"The runtime parameter of {name} is no longer supported for creating or updating AWS "
            "Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )


def check_available(name: str, missing: str | None) -> None:
    """Refuse a runtime that this host lacks. ``missing`` is what ``unavailable()`` answered.

    Raises:
        AwsError: InvalidParameterValueException; it names the fix.
    """
    if missing is not None:
        raise invalid_parameter(f"The runtime {name} is not available on this host. {missing}")


def check_architecture(architecture: str, host: str) -> None:
    """Refuse code for another processor, whatever its runtime.

    An interpreter would run, but packages hold native code more often than their authors know,
    and ``uname`` would contradict the configuration.

    Raises:
        AwsError: InvalidParameterValueException; it names the host's architecture.
    """
    if architecture != host:
        raise invalid_parameter(
            f"Architectures: this host is {host} and cannot run {architecture} functions. "
            f"Set Architectures to [{host}] or leave it out."
        )


def decide_code(code: Mapping[str, Any]) -> bytes | None:
    """The package in ``Code`` (or in UpdateFunctionCode's twin members); None if it is in S3.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    zip_file = code.get("ZipFile")
    if zip_file is not None and (code.get("S3Bucket") or code.get("S3Key")):
        raise invalid_parameter(
            "Please do not provide other FunctionCode parameters when providing a ZipFile."
        )
    check_declined(code, DECLINED_CODE)
    if zip_file is None and not (code.get("S3Bucket") and code.get("S3Key")):
        raise invalid_parameter("Please provide a source for function code.")
    return zip_file


def plan_tags(current: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """The tags of a function after more have been added.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    tags = {**current, **added}
    if len(tags) > limits.TAGS_MAX:
        raise invalid_parameter("Number of tags exceeds resource tag limit.")
    return tags


def check_revision(given: str | None, current: str) -> None:
    """Refuse a request that was made for another revision.

    Raises:
        AwsError: PreconditionFailedException.
    """
    if given is not None and given != current:
        raise stale_revision("GetFunction/GetAlias")


def check_storage(used_bytes: int, added_bytes: int, bytes_max: int) -> None:
    """Refuse code past the account's storage in the region, all counted unpacked.

    Raises:
        AwsError: CodeStorageExceededException.
    """
    if used_bytes + added_bytes > bytes_max:
        raise AwsError(
            "CodeStorageExceededException",
            "Code storage limit exceeded.",
            members={"Type": "User"},
        )

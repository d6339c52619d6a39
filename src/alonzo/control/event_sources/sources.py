"""Whether a function can read a source that runs here, before a mapping says that it does.

Of a source that does not run here there is only the configuration, and nothing is asked.

Source: public error reports of AWS Lambda.
"""

from __future__ import annotations

from alonzo.control.event_sources.records import MappingRecord
from alonzo.model.errors import AwsError, invalid_parameter
from alonzo.model.event_sources import EventSourceMapping, SourceUse
from alonzo.model.ports.event_sources import SourceChecks, SourceFault, SourceState

_MISSING_QUEUE = (
    "Error occurred while ReceiveMessage. SQS Error Code: "
    "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not "
    "exist for this wsdl version."
)


class NoPollers:
    """``Pollers`` and ``SourceChecks`` where no source runs: states change, nothing is read."""

    async def apply(self, mapping: EventSourceMapping) -> None:
        """Nothing is read."""

    async def stop(self, arn: str) -> None:
        """Nothing was read."""

    def offers(self, kind: str) -> bool:
        """No kind of source runs here."""
        return False

    async def look(self, use: SourceUse) -> SourceState:
        """Nothing is wrong with any source."""
        return SourceState()


async def check_source(
    checks: SourceChecks, record: MappingRecord, role_arn: str, timeout_s: int
) -> None:
    """Refuse a source that the function's role cannot read. ``timeout_s`` is the function's.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if record.source_arn is None or not checks.offers(record.kind.name):
        return
    use = SourceUse(record.kind.name, record.source_arn, record.function.key, role_arn)
    state = await checks.look(use)
    if state.fault is SourceFault.FORBIDDEN:
        raise _forbidden(record)
    if state.fault is SourceFault.MISSING:
        raise _missing(record)
    visible_s = state.visibility_timeout_s
    if visible_s is not None and visible_s < timeout_s:
        raise invalid_parameter(
            f"Queue visibility timeout: {visible_s} seconds is less than Function timeout: "
            f"{timeout_s} seconds"
        )


def _forbidden(record: MappingRecord) -> AwsError:
    if record.kind.name.startswith("sqs"):
        return invalid_parameter(
            "The function execution role does not have permissions to call ReceiveMessage on SQS"
        )
    return invalid_parameter(
        f"The function execution role cannot read {record.source_arn}."  # Ours.
    )


def _missing(record: MappingRecord) -> AwsError:
    if record.kind.name.startswith("sqs"):
        return invalid_parameter(_MISSING_QUEUE)
    return invalid_parameter(f"{record.source_arn} does not exist.")  # Ours.

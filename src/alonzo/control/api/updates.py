"""Change a function's code or configuration. Source: Lambda API; recorded behaviour where noted.

An accepted update is stored as the function's new intent at once, and answered as in progress.
What it replaces goes on serving until the deployer is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control import documents, machine, records, rules
from alonzo.control.api.addressing import get_version, latest
from alonzo.control.api.function_code_signing import check_update
from alonzo.control.api.versions import publish
from alonzo.control.environment import check_basis
from alonzo.control.layers.binding import rebind
from alonzo.control.layers.rules import check_total
from alonzo.control.machine import Event
from alonzo.control.records import Code, VersionRecord
from alonzo.control.rules import Configuration
from alonzo.control.targets import check_dead_letters, dead_letter_target
from alonzo.control.tools import Tools
from alonzo.model.arns import LATEST, FunctionRef
from alonzo.model.context import RequestContext
from alonzo.store.base import Connection


async def update_function_code(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """UpdateFunctionCode. ``DryRun`` checks everything, and answers what would have been."""
    ref = latest(context, params)

    def check(db: Connection) -> tuple[VersionRecord, Configuration]:
        record = _updatable(db, ref, params)
        check_update(db, ref.key, params)
        return record, rules.plan_code_update(record.configuration, params, tools.rules())

    await tools.store.read(check)
    data = await tools.package(context, params, rules.decide_code(params))
    code = await tools.packages.inspect(data)
    intake = await tools.sealed.seal(context, ref.key, params, data, code)
    code = intake.code

    def check_with_code(db: Connection) -> VersionRecord:
        record, configuration = check(db)
        check_total(code, record.layers, tools.settings.unzipped_bytes_max)
        usage = records.find_usage(db, account=ref.key.account, region=ref.key.region)
        rules.check_storage(
            usage.code_bytes,
            code.unzipped_bytes - record.code.unzipped_bytes,
            tools.settings.code_storage_bytes_max,
        )
        return replace(record, configuration={**configuration, **intake.members}, code=code)

    if params.get("DryRun"):
        would_be = await tools.variables.shown(context, await tools.store.read(check_with_code))
        return documents.described(would_be, arn=ref.key.arn)
    await tools.packages.keep(intake.data, code)

    def store(db: Connection) -> VersionRecord:
        record = check_with_code(db)
        tools.packages.rely_on(db, code.sha256)
        updated = _accept(tools, db, record, record.configuration, code)
        # Recorded: the answer is the version, which like $LATEST waits for the deployer.
        return publish(tools, db, ref, updated)[0] if params.get("Publish") else updated

    stored = await tools.store.tx(store)
    published = stored.version if stored.version != LATEST else None
    stored = await tools.variables.shown(context, stored)
    return documents.described(stored, arn=ref.key.qualified(published))


async def update_function_configuration(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """UpdateFunctionConfiguration. One that changes nothing is an update like any other."""
    ref = latest(context, params)
    rules.check_role(params.get("Role"), ref.key.account)
    if (runtime := params.get("Runtime")) is not None:
        rules.check_runtime(runtime, tools.rules(), creating=False)
        await tools.check_runtime_available(runtime)
    before = (await tools.store.read(lambda db: _updatable(db, ref, params))).configuration
    planned = rules.plan_update(before, params, tools.rules())
    if dead_letter_target(params) is not None:
        await check_dead_letters(tools.targets, ref.key, planned["Role"], params)
    environment = await tools.variables.plan(context, ref.key, before, planned)

    def store(db: Connection) -> VersionRecord:
        record = _updatable(db, ref, params)
        check_basis(before, record.configuration)
        configuration = rules.plan_update(record.configuration, params, tools.rules())
        if environment is not None:
            configuration["Environment"] = environment
        if params.get("Layers"):
            check_update(db, ref.key, params)
        changed = rebind(
            db,
            context,
            replace(record, configuration=configuration),
            params,
            bytes_max=tools.settings.unzipped_bytes_max,
        )
        return _accept(tools, db, changed, changed.configuration, changed.code)

    updated = await tools.variables.shown(context, await tools.store.tx(store))
    return documents.described(updated, arn=ref.key.arn)


def _updatable(db: Connection, ref: FunctionRef, params: Mapping[str, Any]) -> VersionRecord:
    """The record that an update is for, if it may start now.

    Raises:
        AwsError: ResourceNotFoundException, ResourceConflictException or
            PreconditionFailedException.
    """
    record = get_version(db, ref)
    machine.check_updatable(record.status, ref.key.arn)
    rules.check_revision(params.get("RevisionId"), record.revision_id)
    return record


def _accept(
    tools: Tools,
    db: Connection,
    record: VersionRecord,
    configuration: Configuration | Mapping[str, Any],
    code: Code,
) -> VersionRecord:
    updated = replace(
        record,
        configuration={
            **configuration,
            "LastModified": documents.timestamp(tools.clock.now_s()),
        },
        revision_id=tools.ids.uuid(),
        status=machine.step(record.status, Event.UPDATE),
        deploying=True,
        code=code,
    )
    records.save_version(db, updated)
    return updated

"""Create, read and list functions. Source: Lambda API; recorded behaviour where noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import documents, machine, paging, records, rules
from alonzo.control.api.addressing import addressed, get_function_record, get_version
from alonzo.control.api.function_code_signing import admit_new
from alonzo.control.api.versions import publish
from alonzo.control.code_keys import MEMBER
from alonzo.control.code_signing.records import attach
from alonzo.control.layers.binding import bind, rebind
from alonzo.control.records import FunctionRecord, VersionRecord
from alonzo.control.targets import check_dead_letters
from alonzo.control.tools import Tools
from alonzo.model.arns import LATEST, FunctionKey
from alonzo.model.context import RequestContext
from alonzo.model.errors import conflict, invalid_parameter
from alonzo.store.base import Connection


async def create_function(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """CreateFunction: store the intent and its package; the deployer makes it serve."""
    ref = addressed(context, params)
    if ref.qualifier is not None:
        raise invalid_parameter("FunctionName: the name of a new function has no qualifier.")
    rules.check_name(ref.key.name)
    rules.check_role(params["Role"], ref.key.account)
    configuration = rules.plan_creation(params, ref.key.name, tools.rules())
    tags = rules.plan_tags({}, params.get("Tags") or {})
    zip_file = rules.decide_code(params["Code"])

    def check(db: Connection) -> None:
        _check_free(db, ref.key)
        admit_new(db, context, params)
        bind(db, context, params.get("Layers") or ())

    await tools.store.read(check)
    await tools.check_runtime_available(configuration["Runtime"])
    await check_dead_letters(tools.targets, ref.key, params["Role"], params)
    data = await tools.package(context, params["Code"], zip_file)
    code = await tools.packages.inspect(data)
    intake = await tools.sealed.seal(context, ref.key, params["Code"], data, code)
    code = intake.code
    await tools.packages.keep(intake.data, code)
    configuration.update(intake.members)
    environment = await tools.variables.plan(context, ref.key, {}, configuration)
    if environment is not None:
        configuration["Environment"] = environment
    configuration["LastModified"] = documents.timestamp(tools.clock.now_s())
    record = VersionRecord(
        key=ref.key,
        version=LATEST,
        configuration=configuration,
        revision_id=tools.ids.uuid(),
        status=machine.CREATED,
        deploying=True,
        code=code,
    )

    def store(db: Connection) -> VersionRecord:
        _check_free(db, ref.key)
        signing = admit_new(db, context, params)
        usage = records.find_usage(db, account=ref.key.account, region=ref.key.region)
        rules.check_storage(
            usage.code_bytes, code.unzipped_bytes, tools.settings.code_storage_bytes_max
        )
        tools.packages.rely_on(db, code.sha256)
        created = rebind(db, context, record, params, bytes_max=tools.settings.unzipped_bytes_max)
        records.insert_function(db, created, tags)
        if signing is not None:
            attach(db, ref.key, signing.key)
        return publish(tools, db, ref, created)[0] if params.get("Publish") else created

    # Recorded: a version that is published on creation is shown with the unqualified ARN.
    created = await tools.variables.shown(context, await tools.store.tx(store))
    return documents.described(created, arn=ref.key.arn)


def _check_free(db: Connection, key: FunctionKey) -> None:
    if records.find_version(db, key, LATEST) is not None:
        raise conflict(f"Function already exist: {key.name}")


async def get_function(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetFunction: the configuration, a link to the package, and what the function has beside."""
    ref = addressed(context, params)

    def read(db: Connection) -> tuple[VersionRecord, FunctionRecord]:
        return get_version(db, ref), get_function_record(db, ref)

    record, function = await tools.store.read(read)
    record = await tools.variables.shown(context, record)
    answer: dict[str, Any] = {
        "Configuration": documents.described(record, arn=ref.arn),
        "Code": await _located(tools, context, record),
    }
    if function.tags and ref.qualifier is None:
        answer["Tags"] = function.tags
    if function.reserved_concurrency is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
    return answer


async def _located(
    tools: Tools, context: RequestContext, record: VersionRecord
) -> Mapping[str, Any]:
    """The FunctionCodeLocation of a version as its caller may see it."""
    sealed = record.configuration.get("SealedCode")
    answer = {"RepositoryType": "S3"} | ({} if sealed is None else {MEMBER: sealed["KeyArn"]})
    if (error := await tools.sealed.hidden(context, record)) is not None:
        return {**answer, "Error": error}
    return {**answer, "Location": tools.links.url(context.endpoint, record.code.sha256)}


async def get_function_configuration(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetFunctionConfiguration."""
    ref = addressed(context, params)
    record = await tools.store.read(lambda db: get_version(db, ref))
    return documents.described(await tools.variables.shown(context, record), arn=ref.arn)


async def list_functions(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListFunctions, by name. There are no replicas, so a ``MasterRegion`` has no functions."""
    size = paging.page_size(params)
    every_version = params.get("FunctionVersion") == "ALL"
    listing = "ListFunctions ALL" if every_version else "ListFunctions"
    after = paging.read_marker(listing, params)
    master = params.get("MasterRegion")
    if master is not None and not every_version:
        # AWS documents the rule; this text is ours.
        raise invalid_parameter("MasterRegion: FunctionVersion must be ALL.")
    if master not in (None, "ALL"):
        return {"Functions": []}
    account, region = context.account, context.region

    def read(db: Connection) -> list[VersionRecord]:
        if every_version:
            place = (after[0], paging.version_number(after))
            return records.list_all_versions(
                db, account=account, region=region, after=place, rows_max=size + 1
            )
        return records.list_functions(
            db, account=account, region=region, after=after[0], rows_max=size + 1
        )

    page, last = paging.split_page(await tools.store.read(read), size)
    shown = [await tools.variables.shown(context, record) for record in page]
    answer: dict[str, Any] = {
        "Functions": [
            documents.listed(record, arn=record.key.qualified(record.version))
            if every_version
            else documents.listed(record, arn=record.key.arn)
            for record in shown
        ]
    }
    if last is not None:
        answer["NextMarker"] = paging.write_marker(listing, (last.key.name, last.version))
    return answer

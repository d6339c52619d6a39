"""The operations on archives and replays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.lib.clock import utc
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.events.arns import account_of, arn_of, is_bus_arn, one_page, region_of
from alonzo.services.events.buses import checked_bus_arn
from alonzo.services.events.directory import REPLAYS_TOPIC, Directory, Unit
from alonzo.services.events.errors import (
    exists,
    invalid,
    limit_exceeded,
    no_archive,
    no_replay,
    not_supported,
)
from alonzo.services.events.limits import ARCHIVES_MAX, EXPIRED_MAX, REPLAYS_MAX
from alonzo.services.events.patterns import read_pattern
from alonzo.services.events.records import (
    OPEN,
    Archive,
    Q,
    Replay,
    ReplayState,
    add_replay,
    find_replay,
    replay_from,
    save_replay,
)
from alonzo.store.base import Connection

Answer = Mapping[str, Any]


class ArchiveOperations:
    """Operations by their names in the service model."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def create_archive(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """CreateArchive."""
        name: str = params["ArchiveName"]
        _check(params)
        arn = _archive_arn(context, name)
        bus = checked_bus_arn(self._directory, params["EventSourceArn"])
        if (account_of(bus), region_of(bus)) != (context.account, context.region):
            raise invalid("EventSourceArn", "The event bus must be in the same account and region.")
        if len(self._directory.archives_of(context.account, context.region)) >= ARCHIVES_MAX:
            raise limit_exceeded("The requested resource exceeds the maximum number allowed.")
        archive = Archive(
            arn,
            bus,
            self._directory.clock.now_s(),
            params.get("RetentionDays") or 0,
            params.get("EventPattern") or None,
            params.get("Description"),
        )

        def work(unit: Unit) -> None:
            if unit.db.one(Q.find_archive, {"arn": arn}) is not None:
                raise exists("Archive", name)
            unit.save_archive(archive)

        await self._directory.change(work)
        return _made(archive)

    async def update_archive(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """UpdateArchive: changes what is given."""
        _check(params)
        found = self._need(context, params["ArchiveName"])
        archive = replace(
            found,
            description=params.get("Description", found.description),
            pattern=params.get("EventPattern", found.pattern) or None,
            retention_days=params.get("RetentionDays", found.retention_days),
        )

        def work(unit: Unit) -> None:
            if unit.db.one(Q.find_archive, {"arn": archive.arn}) is None:
                raise no_archive(archive.name)
            unit.save_archive(archive)

        await self._directory.change(work)
        return _made(archive)

    async def delete_archive(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteArchive, with its events. Interrupted half-way, it leaves fewer of them."""
        found = self._need(context, params["ArchiveName"])
        store, now_s = self._directory.store, self._directory.clock.now_s()
        values = {"archive_arn": found.arn, "before_s": now_s, "limit": EXPIRED_MAX}
        while await store.tx(lambda db: db.execute(Q.expire, values)) == EXPIRED_MAX:
            pass  # Between two units others get their turn.
        await self._directory.change(lambda unit: unit.delete(Q.delete_archive, found.arn))

    async def describe_archive(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """DescribeArchive."""
        archive = self._need(context, params["ArchiveName"])
        shown = await self._shown(archive)
        more = {"Description": archive.description, "EventPattern": archive.pattern}
        given = {name: value for name, value in more.items() if value is not None}
        return {"ArchiveArn": archive.arn} | shown | given

    async def list_archives(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ListArchives."""
        prefix, source = params.get("NamePrefix") or "", params.get("EventSourceArn")
        every = [
            archive
            for archive in self._directory.archives_of(context.account, context.region)
            if archive.name.startswith(prefix)
            and source in (None, archive.bus_arn)
            and params.get("State", "ENABLED") == "ENABLED"
        ]
        page, token = one_page(every, params, lambda archive: archive.name)
        return {"Archives": [await self._shown(archive) for archive in page]} | token

    async def _shown(self, archive: Archive) -> dict[str, Any]:
        row = await self._directory.store.read(
            lambda db: db.one(Q.archive_size, {"archive_arn": archive.arn})
        )
        assert row is not None
        return {
            "ArchiveName": archive.name,
            "EventSourceArn": archive.bus_arn,
            "State": "ENABLED",
            "RetentionDays": archive.retention_days,
            "SizeBytes": int(row["n_bytes"]),
            "EventCount": int(row["n"]),
            "CreationTime": utc(archive.created_at_s),
        }

    def _need(self, context: RequestContext, name: str) -> Archive:
        found = self._directory.try_archive(_archive_arn(context, name))
        if found is None:
            raise no_archive(name)
        return found


class ReplayOperations:
    """Operations by their names in the service model."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def start_replay(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """StartReplay: events of an archive go to the rules of its bus once more."""
        name: str = params["ReplayName"]
        archive = self._source(context, params["EventSourceArn"])
        self._check_destination(params["Destination"], archive)
        from_s = params["EventStartTime"].timestamp()
        until_s = params["EventEndTime"].timestamp()
        if from_s >= until_s:
            raise invalid("EventEndTime", "EventStartTime must be before EventEndTime.")
        now_s = self._directory.clock.now_s()
        replay = Replay(
            _replay_arn(context, name),
            archive.arn,
            ReplayState.STARTING,
            from_s,
            until_s,
            archive.bus_arn,
            params["Destination"].get("FilterArns") or (),
            now_s,
            params.get("Description"),
        )

        def work(db: Connection) -> None:
            if find_replay(db, replay.arn) is not None:
                raise exists("Replay", name)
            if sum(each.state in OPEN for each in map(replay_from, db.all(Q.all_replays))) >= (
                REPLAYS_MAX
            ):
                raise limit_exceeded("The maximum number of replays under way has been reached.")
            add_replay(db, replay)
            db.publish(REPLAYS_TOPIC, replay.arn)

        await self._directory.store.tx(work)
        return {
            "ReplayArn": replay.arn,
            "State": replay.state,
            "ReplayStartTime": utc(now_s),
        }

    async def cancel_replay(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """CancelReplay."""
        name: str = params["ReplayName"]
        arn = _replay_arn(context, name)

        def work(db: Connection) -> None:
            replay = find_replay(db, arn)
            if replay is None:
                raise no_replay(name)
            if replay.state not in (ReplayState.STARTING, ReplayState.RUNNING):
                raise AwsError(
                    "IllegalStatusException",
                    f"Replay {name} is not in a valid state for this operation.",
                )
            save_replay(db, replace(replay, state=ReplayState.CANCELLING))
            db.publish(REPLAYS_TOPIC, arn)

        await self._directory.store.tx(work)
        return {"ReplayArn": arn, "State": ReplayState.CANCELLING}

    async def describe_replay(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """DescribeReplay."""
        arn = _replay_arn(context, params["ReplayName"])
        replay = await self._directory.store.read(lambda db: find_replay(db, arn))
        if replay is None:
            raise no_replay(params["ReplayName"])
        destination: dict[str, Any] = {"Arn": replay.bus_arn}
        if replay.filters:
            destination["FilterArns"] = list(replay.filters)
        more = {} if replay.description is None else {"Description": replay.description}
        return _shown(replay) | {"ReplayArn": arn, "Destination": destination} | more

    async def list_replays(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ListReplays."""
        start = _replay_arn(context, params.get("NamePrefix") or "")
        source, state = params.get("EventSourceArn"), params.get("State")
        rows = await self._directory.store.read(lambda db: db.all(Q.all_replays))
        every = [
            replay
            for replay in map(replay_from, rows)
            if replay.arn.startswith(start)
            and source in (None, replay.archive_arn)
            and state in (None, replay.state)
        ]
        page, token = one_page(every, params, lambda replay: replay.name)
        return {"Replays": [_shown(replay) for replay in page]} | token

    def _source(self, context: RequestContext, arn: str) -> Archive:
        if not arn.startswith(_archive_arn(context, "")):
            raise invalid("EventSourceArn", "Must contain an archive ARN.")
        found = self._directory.try_archive(arn)
        if found is None:
            name = arn.rpartition("/")[2]
            raise invalid("EventSourceArn", f"Archive {name} does not exist.")
        return found

    def _check_destination(self, destination: Mapping[str, Any], archive: Archive) -> None:
        if not is_bus_arn(destination["Arn"]):
            raise invalid("Destination.Arn", "Must contain an event bus ARN.")
        if destination["Arn"] != archive.bus_arn:
            raise invalid("Destination.Arn", "Cross event bus replay is not permitted.")
        known = {rule.arn for rule in self._directory.rules_of(archive.bus_arn)}
        for arn in destination.get("FilterArns") or ():
            if arn not in known:
                raise invalid("Destination.FilterArns", f"Rule {arn} does not exist.")


def _check(params: Mapping[str, Any]) -> None:
    if params.get("EventPattern"):
        read_pattern(params["EventPattern"])
    if params.get("KmsKeyIdentifier"):
        raise not_supported("KmsKeyIdentifier", "events are not encrypted with keys of KMS.")


def _made(archive: Archive) -> Answer:
    return {
        "ArchiveArn": archive.arn,
        "State": "ENABLED",
        "CreationTime": utc(archive.created_at_s),
    }


def _archive_arn(context: RequestContext, name: str) -> str:
    return arn_of(context.account, context.region, f"archive/{name}")


def _replay_arn(context: RequestContext, name: str) -> str:
    return arn_of(context.account, context.region, f"replay/{name}")


def _shown(replay: Replay) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ReplayName": replay.name,
        "EventSourceArn": replay.archive_arn,
        "State": replay.state,
        "EventStartTime": utc(replay.from_s),
        "EventEndTime": utc(replay.until_s),
        "ReplayStartTime": utc(replay.started_at_s),
    }
    if replay.reason is not None:
        found["StateReason"] = replay.reason
    if replay.last_event_s is not None:
        found["EventLastReplayedTime"] = utc(replay.last_event_s)
    if replay.ended_at_s is not None:
        found["ReplayEndTime"] = utc(replay.ended_at_s)
    return found

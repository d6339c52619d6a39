"""What hangs on functions, versions and aliases, in any order of operations, against a small model.

Policies, the handling of events and event source mappings; functions, versions and aliases come and
go below them. ``test_control_model.py`` is about functions, versions and aliases themselves, and
``test_layers_model.py`` about layers.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from alonzo.control.records import list_deploying
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, ControlRig, open_control

NAMES = st.sampled_from(["f", "g"])
#: Of a function itself, of its versions that may be there or not, and of its aliases.
QUALIFIERS = st.sampled_from([None, "1", "2", "3", "a", "b"])
ALIASES = st.sampled_from(["a", "b"])
SIDS = st.sampled_from(["s", "t"])
SOURCES = st.sampled_from([f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}" for name in "qr"])
RETRIES = st.sampled_from([0, 1, 2])
BATCHES = st.sampled_from([1, 5, 10])
GONE = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"
Place = tuple[str, str]


@dataclass
class Mapping:
    """What the model knows of one event source mapping."""

    function: str
    source: str
    batch: int
    enabled: bool
    state: str


@dataclass
class Model:
    """What there should be. Versions and aliases are by function; the rest by place."""

    versions: dict[str, set[str]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    policies: dict[Place, list[str]] = field(default_factory=dict)
    events: dict[Place, int] = field(default_factory=dict)
    mappings: dict[str, Mapping] = field(default_factory=dict)

    def has(self, name: str, qualifier: str | None) -> bool:
        """Whether there is such a function, version or alias."""
        if name not in self.versions:
            return False
        there = {None, *self.versions[name], *self.aliases[name]}
        return qualifier in there

    def drop(self, name: str, qualifier: str | None) -> None:
        """Forget what hangs on one version or alias, or without one, on all of a function."""
        for table in (self.policies, self.events):
            for place in list(table):
                if place[0] == name and qualifier in (None, place[1]):
                    del table[place]


def qualified(name: str, qualifier: str | None) -> dict[str, str]:
    return {"FunctionName": name} | ({} if qualifier is None else {"Qualifier": qualifier})


class AttachedModel(RuleBasedStateMachine):
    """Deployments and mappings settle within the rule that needs them, or when one says so."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.opened = open_control(self.folder, deploying=False)
        self.rig: ControlRig = self.run(self.opened.__aenter__())
        self.model = Model()
        self.create("f")
        self.publish("f")

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.run(self.opened.__aexit__(None, None, None))
            self.runner.close()
            shutil.rmtree(self.folder)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def call(self, operation: str, **params: Any) -> Any:
        """The answer, or the code of the error."""
        try:
            return self.run(self.rig.call(operation, **params))
        except AwsError as error:
            return error.code

    def deploy(self) -> None:
        async def round_trip() -> None:
            deployer = self.rig.new_deployer()
            async with TaskScope() as scope:
                while await self.rig.store.read(lambda db: list_deploying(db, rows_max=1)):
                    await deployer.reconcile(scope)
                    await scope.drain()

        self.run(round_trip())

    @rule(name=NAMES)
    def create(self, name: str) -> None:
        if name not in self.model.versions:
            self.run(self.rig.create(name))
            self.deploy()
            self.model.versions[name] = set()
            self.model.aliases[name] = {}
            self.model.last[name] = 0

    @rule(name=NAMES)
    def publish(self, name: str) -> None:
        if name in self.model.versions:
            number = str(self.model.last[name] + 1)
            self.call("UpdateFunctionConfiguration", FunctionName=name, Description=number)
            self.deploy()
            assert self.call("PublishVersion", FunctionName=name)["Version"] == number
            self.model.last[name] += 1
            self.model.versions[name].add(number)

    @rule(name=NAMES, version=st.sampled_from(["1", "2"]))
    def delete_version(self, name: str, version: str) -> None:
        outcome = self.call("DeleteFunction", FunctionName=name, Qualifier=version)
        if name not in self.model.versions:
            assert outcome == GONE
        elif version in self.model.aliases[name].values():
            assert outcome == "ResourceConflictException"
        else:
            assert outcome == {"StatusCode": 204}
            self.model.versions[name].discard(version)
            self.model.drop(name, version)

    @rule(name=NAMES, seldom=st.integers(0, 3))
    def delete(self, name: str, seldom: int) -> None:
        if seldom or name not in self.model.versions:
            return
        assert self.call("DeleteFunction", FunctionName=name) == {"StatusCode": 204}
        del self.model.versions[name], self.model.aliases[name]
        self.model.drop(name, None)

    @rule(name=NAMES, alias=ALIASES, version=st.sampled_from(["1", "2"]))
    def put_alias(self, name: str, alias: str, version: str) -> None:
        if not self.model.has(name, version):
            return
        verb = "Update" if alias in self.model.aliases[name] else "Create"
        target = {"FunctionName": name, "Name": alias, "FunctionVersion": version}
        assert self.call(f"{verb}Alias", **target)["FunctionVersion"] == version
        self.model.aliases[name][alias] = version

    @rule(name=NAMES, alias=ALIASES)
    def delete_alias(self, name: str, alias: str) -> None:
        if name in self.model.versions:
            assert self.call("DeleteAlias", FunctionName=name, Name=alias) == {}
            if self.model.aliases[name].pop(alias, None) is not None:
                self.model.drop(name, alias)

    @rule(name=NAMES, qualifier=QUALIFIERS, sid=SIDS)
    def add_permission(self, name: str, qualifier: str | None, sid: str) -> None:
        outcome = self.call(
            "AddPermission",
            **qualified(name, qualifier),
            StatementId=sid,
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
        )
        sids = self.model.policies.get((name, qualifier or ""), [])
        if not self.model.has(name, qualifier):
            assert outcome == GONE
        elif sid in sids:
            assert outcome == "ResourceConflictException"
        else:
            assert json.loads(outcome["Statement"])["Sid"] == sid
            self.model.policies[name, qualifier or ""] = [*sids, sid]

    @rule(name=NAMES, qualifier=QUALIFIERS, sid=SIDS)
    def remove_permission(self, name: str, qualifier: str | None, sid: str) -> None:
        outcome = self.call("RemovePermission", **qualified(name, qualifier), StatementId=sid)
        place = (name, qualifier or "")
        sids = self.model.policies.get(place, [])
        if sid not in sids:
            assert outcome == GONE
            return
        assert outcome == {}
        self.model.policies[place] = [each for each in sids if each != sid]
        if not self.model.policies[place]:
            del self.model.policies[place]

    @rule(name=NAMES, qualifier=QUALIFIERS, retries=RETRIES, update=st.booleans())
    def set_events(self, name: str, qualifier: str | None, retries: int, update: bool) -> None:
        verb = "Update" if update else "Put"
        outcome = self.call(
            f"{verb}FunctionEventInvokeConfig",
            **qualified(name, qualifier),
            MaximumRetryAttempts=retries,
        )
        place = (name, qualifier or "$LATEST")
        if not self.model.has(name, qualifier) or (update and place not in self.model.events):
            assert outcome == GONE
        else:
            assert outcome["MaximumRetryAttempts"] == retries
            self.model.events[place] = retries

    @rule(name=NAMES, qualifier=QUALIFIERS)
    def unset_events(self, name: str, qualifier: str | None) -> None:
        outcome = self.call("DeleteFunctionEventInvokeConfig", **qualified(name, qualifier))
        there = self.model.events.pop((name, qualifier or "$LATEST"), None) is not None
        assert outcome == ({} if there else GONE)

    @rule(name=NAMES, source=SOURCES, batch=BATCHES, enabled=st.booleans())
    def create_mapping(self, name: str, source: str, batch: int, enabled: bool) -> None:
        outcome = self.call(
            "CreateEventSourceMapping",
            FunctionName=name,
            EventSourceArn=source,
            BatchSize=batch,
            Enabled=enabled,
        )
        same = [
            each
            for each in self.model.mappings.values()
            if (each.function, each.source) == (name, source)
        ]
        if name not in self.model.versions:
            assert outcome == INVALID
        elif same:
            assert outcome == "ResourceConflictException"
        else:
            state = "Creating" if enabled else "Disabled"
            self.model.mappings[outcome["UUID"]] = Mapping(name, source, batch, enabled, state)

    @rule(which=st.integers(0, 3), batch=BATCHES, enabled=st.none() | st.booleans())
    def update_mapping(self, which: int, batch: int, enabled: bool | None) -> None:
        for mapping_id, mapping in sorted(self.model.mappings.items())[which : which + 1]:
            params: dict[str, Any] = {} if enabled is None else {"Enabled": enabled}
            outcome = self.call(
                "UpdateEventSourceMapping", UUID=mapping_id, BatchSize=batch, **params
            )
            if mapping.state not in ("Enabled", "Disabled"):
                assert outcome == "ResourceInUseException"
                continue
            wanted = mapping.enabled if enabled is None else enabled
            changes = {True: "Enabling", False: "Disabling"}[wanted]
            mapping.state = "Updating" if wanted == mapping.enabled else changes
            mapping.batch, mapping.enabled = batch, wanted
            assert outcome["State"] == mapping.state

    @rule(which=st.integers(0, 3))
    def delete_mapping(self, which: int) -> None:
        for mapping_id, mapping in sorted(self.model.mappings.items())[which : which + 1]:
            outcome = self.call("DeleteEventSourceMapping", UUID=mapping_id)
            if mapping.state in ("Enabled", "Disabled"):
                assert outcome["State"] == "Deleting"
                mapping.state = "Deleting"
            else:
                assert outcome == "ResourceInUseException"

    @rule()
    def settle_mappings(self) -> None:
        self.run(self.rig.reconcile_mappings())
        for mapping_id, mapping in list(self.model.mappings.items()):
            if mapping.state == "Deleting":
                del self.model.mappings[mapping_id]
            else:
                mapping.state = "Enabled" if mapping.enabled else "Disabled"

    @invariant()
    def policies_are_those_that_were_made(self) -> None:
        if not hasattr(self, "rig"):
            return
        for name in ("f", "g"):
            for qualifier in (None, "1", "2", "3", "a", "b"):
                outcome = self.call("GetPolicy", **qualified(name, qualifier))
                expected = self.model.policies.get((name, qualifier or ""))
                if expected is None:
                    assert outcome == GONE
                    continue
                statements = json.loads(outcome["Policy"])["Statement"]
                assert [each["Sid"] for each in statements] == expected
                arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
                suffix = "" if qualifier is None else f":{qualifier}"
                assert {each["Resource"] for each in statements} == {arn + suffix}

    @invariant()
    def events_are_handled_as_was_said(self) -> None:
        if not hasattr(self, "rig"):
            return
        for name in ("f", "g"):
            outcome = self.call("ListFunctionEventInvokeConfigs", FunctionName=name)
            if name not in self.model.versions:
                assert outcome == GONE
                continue
            shown = {
                each["FunctionArn"].rpartition(":")[2]: each["MaximumRetryAttempts"]
                for each in outcome["FunctionEventInvokeConfigs"]
            }
            assert shown == {
                qualifier: retries
                for (function, qualifier), retries in self.model.events.items()
                if function == name
            }

    @invariant()
    def mappings_are_what_they_were_made(self) -> None:
        if not hasattr(self, "rig"):
            return
        listed = self.call("ListEventSourceMappings")["EventSourceMappings"]
        shown = {
            each["UUID"]: (each["EventSourceArn"], each["BatchSize"], each["State"])
            for each in listed
        }
        assert shown == {
            mapping_id: (each.source, each.batch, each.state)
            for mapping_id, each in self.model.mappings.items()
        }


TestAttachedModel = AttachedModel.TestCase
TestAttachedModel.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)

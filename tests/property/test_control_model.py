"""Any sequence of operations against a small model of what they should do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from alonzo.control.records import list_deploying
from alonzo.control.sweeper import GRACE_S, Sweeper
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.code import CodeError
from alonzo.testing.control import ACCOUNT, REGION, ControlRig, open_control, zip_of

NAMES = st.sampled_from(["f", "g"])
ALIASES = st.sampled_from(["a", "b"])
#: Of a version that may exist or not, or may have existed.
VERSIONS = st.integers(1, 4).map(str)
TIMEOUTS = st.sampled_from([3, 4, 900])
WEIGHTS = st.sampled_from([0.0, 0.5, 1.0])
PACKAGES = [zip_of({"a": str(number)}) for number in range(3)]
BROKEN = st.booleans()


#: What a version consists of: its code and its timeout.
Content = tuple[bytes, int]


@dataclass
class Version:
    """What the model knows of one published version."""

    content: Content
    document: dict[str, Any]
    state: str = "Pending"

    @property
    def status(self) -> str | None:
        return "Successful" if self.state == "Active" else None


@dataclass
class Expected:
    """What the model knows of one function."""

    code: bytes
    timeout: int = 3
    state: str = "Pending"
    status: str | None = None
    serving: Content | None = None
    tags: dict[str, str] = field(default_factory=dict)
    revisions: set[str] = field(default_factory=set)
    versions: dict[str, Version] = field(default_factory=dict)
    last_version: int = 0
    published: Content | None = None
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    reserved: int | None = None
    #: By alias; the function's own is None's.
    urls: dict[str | None, dict[str, Any]] = field(default_factory=dict)

    @property
    def content(self) -> Content:
        return self.code, self.timeout

    @property
    def busy(self) -> bool:
        return self.state != "Active" or self.status == "InProgress"

    @property
    def is_published(self) -> bool:
        """Whether what would be published is there already."""
        last = self.versions.get(str(self.last_version))
        return self.published == self.content and last is not None and last.state != "Failed"

    def users_of(self, version: str) -> list[str]:
        """The aliases that send a version calls."""
        return sorted(
            name
            for name, alias in self.aliases.items()
            if version == alias["FunctionVersion"] or version in shares(alias)
        )


def shares(alias: dict[str, Any]) -> dict[str, float]:
    return alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})


class ControlModel(RuleBasedStateMachine):
    """Deployments run only when a rule says so, so that every interleaving can be met."""

    stale = Bundle("stale")

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.opened = open_control(self.folder, deploying=False)
        self.rig: ControlRig = self.run(self.opened.__aenter__())
        self.expected: dict[str, Expected] = {}
        # Most of what there is to see needs a function that is ready, and a version of it.
        self.create("f", PACKAGES[0])
        self.deploy(broken=False)
        self.publish("f")

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.run(self.opened.__aexit__(None, None, None))
            self.runner.close()
            shutil.rmtree(self.folder)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def outcome(self, work: Any) -> Any:
        """The answer, or the code of the error."""
        try:
            return self.run(work)
        except AwsError as error:
            return error.code

    def note(self, name: str, document: Any) -> None:
        """A revision is new whenever something changed."""
        revisions = self.expected[name].revisions
        assert document["RevisionId"] not in revisions
        revisions.add(document["RevisionId"])

    @rule(name=NAMES, code=st.sampled_from(PACKAGES))
    def create(self, name: str, code: bytes) -> None:
        outcome = self.outcome(self.rig.create(name, code))
        if name in self.expected:
            assert outcome == "ResourceConflictException"
        else:
            self.expected[name] = Expected(code)
            self.note(name, outcome)

    @rule(name=NAMES, code=st.sampled_from(PACKAGES), dry=st.booleans())
    def update_code(self, name: str, code: bytes, dry: bool) -> None:
        call = self.rig.call("UpdateFunctionCode", FunctionName=name, ZipFile=code, DryRun=dry)
        if (expected := self.updated(name, self.outcome(call), dry=dry)) is not None:
            expected.code = code

    @rule(name=NAMES, code=st.sampled_from(PACKAGES))
    def update_code_and_publish(self, name: str, code: bytes) -> None:
        expected = self.expected.get(name)
        outcome = self.outcome(
            self.rig.call("UpdateFunctionCode", FunctionName=name, ZipFile=code, Publish=True)
        )
        if expected is None or expected.busy:
            assert isinstance(outcome, str)
            return
        expected.code = code
        expected.status = "InProgress"
        self.note(name, self.run(self.rig.configuration(name)))
        self.published(name, outcome, state="Pending")

    @rule(name=NAMES)
    def publish(self, name: str) -> None:
        expected = self.expected.get(name)
        before = expected and self.run(self.rig.configuration(name))
        outcome = self.outcome(self.rig.call("PublishVersion", FunctionName=name))
        if expected is None:
            assert outcome == "ResourceNotFoundException"
        elif expected.busy:
            assert outcome == "ResourceConflictException"
        else:
            is_new = not expected.is_published
            # What is not what serves has to be deployed first.
            ready = expected.status == "Successful"
            self.published(name, outcome, state="Active" if ready else "Pending")
            after = self.run(self.rig.configuration(name))
            assert (before != after) == is_new
            if is_new:
                self.note(name, after)

    def published(self, name: str, document: Any, *, state: str) -> None:
        """Note what was answered to a publication."""
        expected = self.expected[name]
        if expected.is_published:
            version = expected.versions[str(expected.last_version)]
            assert document == version.document
            return
        expected.last_version += 1
        expected.published = expected.content
        assert document["Version"] == str(expected.last_version)
        self.note(name, document)
        expected.versions[document["Version"]] = Version(expected.content, document, state)

    @rule(name=NAMES, version=VERSIONS)
    def delete_version(self, name: str, version: str) -> None:
        expected = self.expected.get(name)
        outcome = self.outcome(
            self.rig.call("DeleteFunction", FunctionName=name, Qualifier=version)
        )
        if expected is None:
            assert outcome == "ResourceNotFoundException"
        elif expected.users_of(version):
            assert outcome == "ResourceConflictException"
        else:
            assert outcome == {"StatusCode": 204}
            expected.versions.pop(version, None)

    @rule(name=NAMES, alias=ALIASES, version=VERSIONS, other=st.none() | VERSIONS, weight=WEIGHTS)
    def put_alias(
        self, name: str, alias: str, version: str, other: str | None, weight: float
    ) -> None:
        """Create an alias, or change the one that there is."""
        expected = self.expected.get(name)
        before = expected and expected.aliases.get(alias)
        verb = "Create" if before is None else "Update"
        config = {"AdditionalVersionWeights": {} if other is None else {other: weight}}
        params = {"FunctionName": name, "Name": alias, "FunctionVersion": version}
        call = self.rig.call(f"{verb}Alias", **params, RoutingConfig=config)
        outcome = self.outcome(call)
        if other == version:
            assert outcome in {"InvalidParameterValueException", "ResourceNotFoundException"}
        elif expected is None or {version, other} - {None} - set(expected.versions):
            assert outcome == "ResourceNotFoundException"
        else:
            assert (outcome["FunctionVersion"], shares(outcome)) == (
                version,
                config["AdditionalVersionWeights"],
            )
            self.note(name, outcome)
            expected.aliases[alias] = outcome

    @rule(name=NAMES, alias=ALIASES)
    def delete_alias(self, name: str, alias: str) -> None:
        outcome = self.outcome(self.rig.call("DeleteAlias", FunctionName=name, Name=alias))
        if (expected := self.expected.get(name)) is None:
            assert outcome == "ResourceNotFoundException"
        else:
            assert outcome == {}
            expected.aliases.pop(alias, None)
            expected.urls.pop(alias, None)

    @rule(
        name=NAMES,
        alias=st.none() | ALIASES,
        auth=st.sampled_from(["NONE", "AWS_IAM"]),
        cors=st.sampled_from([None, {}, {"AllowOrigins": ["*"]}, {"MaxAge": 5}]),
    )
    def put_url(self, name: str, alias: str | None, auth: str, cors: dict[str, Any] | None) -> None:
        """Give a function or an alias a URL, or change the one that there is."""
        expected = self.expected.get(name)
        before = expected and expected.urls.get(alias)
        params: dict[str, Any] = {"FunctionName": name, "AuthType": auth}
        if alias is not None:
            params["Qualifier"] = alias
        if cors is not None:
            params["Cors"] = cors
        verb = "Create" if before is None else "Update"
        outcome = self.outcome(self.rig.call(f"{verb}FunctionUrlConfig", **params))
        if expected is None or (alias is not None and alias not in expected.aliases):
            assert outcome == "ResourceNotFoundException"
            return
        if before is not None:
            assert outcome["FunctionUrl"] == before["FunctionUrl"]
            again = self.rig.call("CreateFunctionUrlConfig", **params)
            assert self.outcome(again) == "ResourceConflictException"
        assert outcome["AuthType"] == auth
        kept = before and before.get("Cors")
        assert outcome.get("Cors") == (kept if cors is None else cors or None)
        expected.urls[alias] = outcome

    @rule(name=NAMES, alias=st.none() | ALIASES)
    def delete_url(self, name: str, alias: str | None) -> None:
        expected = self.expected.get(name)
        params = {"FunctionName": name} | ({} if alias is None else {"Qualifier": alias})
        outcome = self.outcome(self.rig.call("DeleteFunctionUrlConfig", **params))
        known = expected and expected.urls.pop(alias, None)
        assert outcome == ({} if known else "ResourceNotFoundException")

    @rule(name=NAMES, reserved=st.none() | st.sampled_from([0, 500, 900]))
    def reserve(self, name: str, reserved: int | None) -> None:
        expected = self.expected.get(name)
        if reserved is None:
            call = self.rig.call("DeleteFunctionConcurrency", FunctionName=name)
        else:
            call = self.rig.call(
                "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=reserved
            )
        outcome = self.outcome(call)
        others = sum(each.reserved or 0 for each in self.expected.values() if each is not expected)
        if expected is None:
            assert outcome == "ResourceNotFoundException"
        elif reserved is not None and others + reserved > 900:
            assert outcome == "InvalidParameterValueException"
        else:
            expected.reserved = reserved

    @rule(name=NAMES, timeout=TIMEOUTS)
    def update_configuration(self, name: str, timeout: int) -> None:
        call = self.rig.call("UpdateFunctionConfiguration", FunctionName=name, Timeout=timeout)
        if (expected := self.updated(name, self.outcome(call))) is not None:
            expected.timeout = timeout

    def updated(self, name: str, outcome: Any, *, dry: bool = False) -> Expected | None:
        expected = self.expected.get(name)
        if expected is None:
            assert outcome == "ResourceNotFoundException"
            return None
        if expected.busy:
            assert outcome == "ResourceConflictException"
            return None
        if dry:
            assert outcome["RevisionId"] in expected.revisions
            return None
        self.note(name, outcome)
        expected.status = "InProgress"
        return expected

    @rule(name=NAMES, timeout=TIMEOUTS)
    def update_with_the_current_or_a_stale_revision(self, name: str, timeout: int) -> None:
        expected = self.expected.get(name)
        if expected is None or expected.busy:
            return
        current = self.run(self.rig.configuration(name))["RevisionId"]
        for revision in expected.revisions - {current}:
            call = self.rig.call(
                "UpdateFunctionConfiguration",
                FunctionName=name,
                RevisionId=revision,
                Timeout=timeout,
            )
            assert self.outcome(call) == "PreconditionFailedException"

    @rule(name=NAMES, seldom=st.integers(0, 3))
    def delete(self, name: str, seldom: int) -> None:
        if seldom:
            return
        outcome = self.outcome(self.rig.call("DeleteFunction", FunctionName=name))
        if self.expected.pop(name, None) is None:
            assert outcome == "ResourceNotFoundException"
        else:
            assert outcome == {"StatusCode": 204}

    @rule(name=NAMES, key=st.sampled_from("ab"), add=st.booleans())
    def tag(self, name: str, key: str, add: bool) -> None:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        expected = self.expected.get(name)
        if add:
            outcome = self.outcome(self.rig.call("TagResource", Resource=arn, Tags={key: "v"}))
            if expected is not None and expected.status == "InProgress":
                assert outcome == "ResourceConflictException"
                return
        else:
            outcome = self.outcome(self.rig.call("UntagResource", Resource=arn, TagKeys=[key]))
        if expected is None:
            assert outcome == "ResourceNotFoundException"
            return
        expected.tags.pop(key, None)
        if add:
            expected.tags[key] = "v"

    @rule(broken=BROKEN)
    def deploy(self, broken: bool) -> None:
        """One round of a deployer that has just been started, to its end."""
        self.rig.code.failure = CodeError("broken") if broken else None

        async def round_trip() -> None:
            deployer = self.rig.new_deployer()
            async with TaskScope() as scope:
                while await self.rig.store.read(lambda db: list_deploying(db, rows_max=1)):
                    await deployer.reconcile(scope)
                    await scope.drain()

        self.run(round_trip())
        for name, expected in self.expected.items():
            if expected.state == "Pending" or expected.status == "InProgress":
                created = expected.state == "Pending"
                if not broken:
                    expected.state, expected.status = "Active", "Successful"
                    expected.serving = expected.content
                elif created:
                    expected.state = "Failed"
                else:
                    expected.status = "Failed"
                self.note(name, self.run(self.rig.configuration(name)))
            for number, version in expected.versions.items():
                if version.state == "Pending":
                    version.state = "Failed" if broken else "Active"
                    document = self.run(self.rig.configuration(name, Qualifier=number))
                    self.note(name, document)
                    version.document = document

    @rule(hours=st.integers(0, 2))
    def sweep(self, hours: int) -> None:
        self.rig.clock.advance(hours * GRACE_S)
        self.run(Sweeper(self.rig.store, self.rig.blobs, clock=self.rig.clock).sweep())

    @invariant()
    def what_is_shown_is_what_is_expected(self) -> None:
        if not hasattr(self, "rig"):
            return
        listed = self.run(self.rig.call("ListFunctions"))["Functions"]
        assert [entry["FunctionName"] for entry in listed] == sorted(self.expected)
        for name, expected in self.expected.items():
            found = self.run(self.rig.call("GetFunction", FunctionName=name))
            document = found["Configuration"]
            digest = hashlib.sha256(expected.code).digest()
            assert document["CodeSha256"] == base64.b64encode(digest).decode()
            assert document["Timeout"] == expected.timeout
            assert document["State"] == expected.state
            assert document.get("LastUpdateStatus") == expected.status
            assert document["RevisionId"] in expected.revisions
            assert found.get("Tags", {}) == expected.tags
            reserved = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
            assert reserved == expected.reserved
        reserved = sum(expected.reserved or 0 for expected in self.expected.values())
        limits = self.run(self.rig.call("GetAccountSettings"))["AccountLimit"]
        assert limits["UnreservedConcurrentExecutions"] == 1000 - reserved

    @invariant()
    def versions_never_change_and_aliases_are_as_they_were_set(self) -> None:
        if not hasattr(self, "rig"):
            return
        for name, expected in self.expected.items():
            target = {"FunctionName": name}
            listed = self.run(self.rig.call("ListVersionsByFunction", **target))["Versions"]
            numbers = sorted(expected.versions, key=int)
            assert [entry["Version"] for entry in listed] == ["$LATEST", *numbers]
            for number, version in expected.versions.items():
                document = self.run(self.rig.configuration(name, Qualifier=number))
                # Recorded: what creates a version on the way shows another ARN.
                assert document == version.document | {"FunctionArn": document["FunctionArn"]}
                assert (document["State"], document.get("LastUpdateStatus")) == (
                    version.state,
                    version.status,
                )
                row = self.run(self.rig.row(name, number))
                assert (row["serving"] is not None) == (version.state == "Active")
                if row["serving"] is not None:
                    record = ServingVersion.from_json(row["serving"])
                    code, timeout = version.content
                    assert record.code_sha256 == hashlib.sha256(code).hexdigest()
                    assert (record.timeout_s, record.version) == (timeout, number)
            aliases = self.run(self.rig.call("ListAliases", **target))["Aliases"]
            assert aliases == [alias for _, alias in sorted(expected.aliases.items())]
            urls = self.run(self.rig.call("ListFunctionUrlConfigs", **target))["FunctionUrlConfigs"]
            wanted = [url for _, url in sorted(expected.urls.items(), key=lambda e: e[0] or "")]
            # What creates a URL does not say when it was changed.
            assert [url | {"LastModifiedTime": ""} for url in urls] == [
                url | {"LastModifiedTime": ""} for url in wanted
            ]

    @invariant()
    def what_serves_has_its_code(self) -> None:
        if not hasattr(self, "rig"):
            return
        needed = {hashlib.sha256(expected.code).hexdigest() for expected in self.expected.values()}
        for expected in self.expected.values():
            contents = (version.content for version in expected.versions.values())
            needed |= {hashlib.sha256(code).hexdigest() for code, _ in contents}
        for name, expected in self.expected.items():
            row = self.run(self.rig.row(name))
            if expected.serving is None:
                assert row["serving"] is None
                continue
            record = ServingVersion.from_json(row["serving"])
            code, timeout = expected.serving
            assert record.code_sha256 == hashlib.sha256(code).hexdigest()
            assert record.timeout_s == timeout
            needed.add(record.code_sha256)
        assert needed <= set(self.run(self.rig.blobs.list_digests()))


TestControlModel = ControlModel.TestCase
TestControlModel.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)

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

from alonzo.control.sweeper import GRACE_S, Sweeper
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.model.ports import CodeError
from alonzo.testing.control import ACCOUNT, REGION, ControlRig, open_control, zip_of

NAMES = st.sampled_from(["f", "g"])
PACKAGES = [zip_of({"a": str(number)}) for number in range(3)]
BROKEN = st.booleans()


@dataclass
class Expected:
    """What the model knows of one function."""

    code: bytes
    timeout: int = 3
    state: str = "Pending"
    status: str | None = None
    serving: tuple[bytes, int] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    revisions: set[str] = field(default_factory=set)

    @property
    def busy(self) -> bool:
        return self.state != "Active" or self.status == "InProgress"


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

    @rule(name=NAMES, timeout=st.integers(1, 900))
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

    @rule(name=NAMES, timeout=st.integers(1, 900))
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

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
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
            async with TaskScope() as scope:
                await self.rig.new_deployer().reconcile(scope)
                await scope.drain()

        self.run(round_trip())
        for name, expected in self.expected.items():
            if expected.state == "Pending" or expected.status == "InProgress":
                created = expected.state == "Pending"
                if not broken:
                    expected.state, expected.status = "Active", "Successful"
                    expected.serving = (expected.code, expected.timeout)
                elif created:
                    expected.state = "Failed"
                else:
                    expected.status = "Failed"
                self.note(name, self.run(self.rig.configuration(name)))

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

    @invariant()
    def what_serves_has_its_code(self) -> None:
        if not hasattr(self, "rig"):
            return
        needed = {hashlib.sha256(expected.code).hexdigest() for expected in self.expected.values()}
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
TestControlModel.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)

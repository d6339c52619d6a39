"""Variables that an earlier release kept in plain text are sealed at the next start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alonzo.control.environment import Variables
from alonzo.control.old_variables import OldVariables
from alonzo.control.records import find_version
from alonzo.environments.sealed_variables import SealedVariables
from alonzo.lib.ids import SystemIds
from alonzo.model.arns import LATEST, FunctionKey
from alonzo.model.context import Principal, RequestContext
from alonzo.model.deliveries import RoleUse
from alonzo.services.kms.encryption import Encryption
from alonzo.services.kms.use import KeyUse
from alonzo.services.kms.vault import Vault
from alonzo.testing.control import ACCOUNT, REGION, ControlRig, open_control

KEY = FunctionKey(ACCOUNT, REGION, "f")
MARKER = "plain-7d1e"


async def everybody(_: RequestContext, __: str, ___: str, ____: Mapping[str, Any]) -> None:
    """Whoever asks may."""


class Roles:
    def context(self, use: RoleUse) -> RequestContext:
        root = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "", is_root=True)
        return RequestContext("r", ACCOUNT, use.region, root, "", "")


def keys_of(rig: ControlRig) -> Encryption:
    vault = Vault(rig.store, bytes(32), clock=rig.clock, ids=SystemIds())
    return Encryption(KeyUse(vault), everybody)


def test_old_rows_serve_as_they_are_and_are_sealed_at_the_next_start(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            # Without KMS, as they were written once.
            environment = {"Variables": {"AB": MARKER}}
            await rig.create_active("f", Environment=environment)
            await rig.call("PublishVersion", FunctionName="f")
            await rig.create_active("none")
            before = await rig.store.read(lambda db: find_version(db, KEY, LATEST))
            keys = keys_of(rig)
            old = OldVariables(rig.store, Variables(keys, b"secret"))
            await old.seal()
            after = await rig.store.read(lambda db: find_version(db, KEY, LATEST))
            assert before is not None
            assert after is not None
            assert before.serving is not None
            assert after.serving is not None
            assert before.serving.environment == {"AB": MARKER}
            assert after.serving.environment == {}
            assert after.serving.generation == before.serving.generation, "nothing is started anew"
            assert after.revision_id == before.revision_id
            sealed = SealedVariables(SystemIds())
            sealed.connect(keys, Roles())
            assert (await sealed.open(after.serving)).environment == {"AB": MARKER}
            shown = await Variables(keys, b"secret").shown(
                Roles().context(RoleUse(KEY, "", REGION, "r")), after
            )
            assert shown.configuration["Environment"] == environment
            rows = await rig.store.read(lambda db: db.all(PLAIN))
            assert MARKER not in str([dict(row) for row in rows])
            await old.seal()
            again = await rig.store.read(lambda db: find_version(db, KEY, LATEST))
            assert again == after

    asyncio.run(main())


PLAIN = "SELECT document, serving FROM function_version"

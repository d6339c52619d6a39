"""Operations that rotate keys. Old material stays: what it encrypted can still be read.

Source: KMS API reference; developer guide, rotating keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.kms import records
from alonzo.services.kms.errors import limit_exceeded
from alonzo.services.kms.keys import need_customers
from alonzo.services.kms.limits import (
    DAY_S,
    ON_DEMAND_ROTATIONS_MAX,
    ROTATION_DAYS_MAX,
    ROTATION_DAYS_MIN,
    ROTATIONS_PAGE_DEFAULT,
)
from alonzo.services.kms.machine import Event, State, step
from alonzo.services.kms.records import Key, Q
from alonzo.services.kms.rules import check_range, one_page
from alonzo.services.kms.vault import Unit, Vault
from alonzo.store.base import Connection

ON_DEMAND = "ON_DEMAND"
AUTOMATIC = "AUTOMATIC"


class RotationOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def enable_key_rotation(self, context: RequestContext, params: dict[str, Any]) -> None:
        """EnableKeyRotation. The first one comes a whole period from now."""
        days = params.get("RotationPeriodInDays")
        if days is not None:
            check_range(days, ROTATION_DAYS_MIN, ROTATION_DAYS_MAX, "rotationPeriodInDays")

        def work(unit: Unit) -> None:
            key = need_customers(unit.conn, context, params["KeyId"])
            step(key.state, Event.USE, key.arn)
            period = days or key.rotation_days
            records.save_document(
                unit.conn,
                unit.touch(key),
                rotation_days=period,
                rotates_at_s=self._vault.clock.now_s() + period * DAY_S,
            )

        await self._vault.change(work)

    async def disable_key_rotation(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DisableKeyRotation."""

        def work(unit: Unit) -> None:
            key = need_customers(unit.conn, context, params["KeyId"])
            step(key.state, Event.USE, key.arn)
            records.save_document(unit.conn, unit.touch(key), rotates_at_s=None)

        await self._vault.change(work)

    async def get_key_rotation_status(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetKeyRotationStatus. A key that is pending deletion does not rotate."""
        key = await self._vault.read(lambda conn: records.need_key(conn, context, params["KeyId"]))
        due = None if key.state is State.PENDING_DELETION else key.rotates_at_s
        status: dict[str, Any] = {"KeyId": key.arn, "KeyRotationEnabled": due is not None}
        if due is not None:
            status |= {"RotationPeriodInDays": key.rotation_days, "NextRotationDate": due}
        return status

    async def rotate_key_on_demand(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """RotateKeyOnDemand. It is done when this answers."""

        def work(unit: Unit) -> Key:
            key = need_customers(unit.conn, context, params["KeyId"])
            step(key.state, Event.USE, key.arn)
            materials = unit.conn.all(Q.materials, {"key_id": key.id})
            if sum(row["cause"] == ON_DEMAND for row in materials) >= ON_DEMAND_ROTATIONS_MAX:
                raise limit_exceeded(
                    f"A key can be rotated on demand {ON_DEMAND_ROTATIONS_MAX} times."
                )
            number = materials[-1]["number"] + 1
            self._vault.add_material(unit, key, number=number, cause=ON_DEMAND)
            return key

        return {"KeyId": (await self._vault.change(work)).arn}

    async def list_key_rotations(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListKeyRotations: those that are done, and with ALL_KEY_MATERIAL the first material."""
        everything = params.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"

        def work(conn: Connection) -> list[Mapping[str, Any]]:
            key = records.need_key(conn, context, params["KeyId"])
            rows = conn.all(Q.materials, {"key_id": key.id})
            current = rows[-1]["number"]
            found: list[Mapping[str, Any]] = []
            for row in rows:
                entry: dict[str, Any] = {"KeyId": key.arn}
                if everything:
                    is_current = row["number"] == current
                    entry["KeyMaterialId"] = row["id"]
                    entry["KeyMaterialState"] = "CURRENT" if is_current else "NON_CURRENT"
                if row["cause"]:
                    entry["RotationDate"] = row["created_at_s"]
                    entry["RotationType"] = row["cause"]
                elif not everything:
                    continue
                found.append(entry)
            return found

        entries = await self._vault.read(work)
        shown, more = one_page(
            entries,
            [f"{place:09d}" for place in range(len(entries))],
            params.get("Limit", ROTATIONS_PAGE_DEFAULT),
            params.get("Marker"),
        )
        return {"Rotations": shown, **more}

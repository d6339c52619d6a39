"""The audit log of one platform, as its configuration wants it."""

from __future__ import annotations

import asyncio

from alonzo.audit.files import AuditFiles
from alonzo.audit.masking import Masks
from alonzo.audit.writer import AuditWriter
from alonzo.daemon.config import Config
from alonzo.edge.models import service_model
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.errors import PlatformError
from alonzo.store.data_dir import DataDir


async def open_audit(
    config: Config, data: DataDir, clock: Clock, ids: IdSource
) -> AuditWriter | None:
    """The audit log, to be run and closed; None: none is wanted.

    Raises:
        PlatformError: it cannot be written.
    """
    if config.audit == "off":
        return None
    audit = AuditWriter(
        AuditFiles(data.audit, config.auditing, clock),
        Masks(service_model),
        mode=config.audit,
        account=config.account,
        clock=clock,
        ids=ids,
        settings=config.auditing,
    )
    try:
        await asyncio.to_thread(audit.open)
    except OSError as error:
        raise PlatformError(f"cannot write the audit log in {data.audit}: {error}") from error
    return audit

"""The operations on functions, put together with what they work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from alonzo.control.api import account, functions, tags, updates
from alonzo.control.downloads import CodeDownloads
from alonzo.control.links import CodeLinks
from alonzo.control.packages import Packages
from alonzo.control.rules import RuntimeCatalog
from alonzo.control.settings import ControlSettings
from alonzo.control.tools import Tools
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.http import RouteHandler
from alonzo.model.ports import Operations
from alonzo.store.base import Store
from alonzo.store.blobs import BlobStore

#: One operation before it is given its tools.
_Unbound = Callable[[Tools, RequestContext, dict[str, Any]], Awaitable[Mapping[str, Any] | None]]

OPERATIONS: Mapping[str, _Unbound] = {
    "CreateFunction": functions.create_function,
    "DeleteFunction": functions.delete_function,
    "GetAccountSettings": account.get_account_settings,
    "GetFunction": functions.get_function,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "ListFunctions": functions.list_functions,
    "ListTags": tags.list_tags,
    "ListVersionsByFunction": functions.list_versions_by_function,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateFunctionCode": updates.update_function_code,
    "UpdateFunctionConfiguration": updates.update_function_configuration,
}


class ControlPlane:
    """What callers reach of this room; the deployer is the other half and needs no introduction.

    ``operations`` are Lambda's, by name. ``download`` answers below ``links.CODE_PATH``.
    """

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        runtimes: RuntimeCatalog,
        *,
        clock: Clock,
        ids: IdSource,
        settings: ControlSettings,
    ) -> None:
        links = CodeLinks(settings.link_key, clock)
        tools = Tools(
            store=store,
            packages=Packages(store, blobs, clock=clock, settings=settings),
            runtimes=runtimes,
            clock=clock,
            ids=ids,
            settings=settings,
            links=links,
        )
        self.operations: Operations = {
            name: partial(operation, tools) for name, operation in OPERATIONS.items()
        }
        self.download: RouteHandler = CodeDownloads(links, blobs)

"""The operations on functions, put together with what they work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from alonzo.control.api import (
    account,
    aliases,
    code_signing,
    concurrency,
    event_invoke,
    event_sources,
    function_code_signing,
    function_urls,
    functions,
    layer_permissions,
    layers,
    permissions,
    provisioned_concurrency,
    recursion,
    resource_policies,
    runtime_management,
    tags,
    updates,
    versions,
)
from alonzo.control.code_keys import SealedPackages
from alonzo.control.downloads import CodeDownloads
from alonzo.control.environment import Variables
from alonzo.control.event_sources.sources import NoPollers
from alonzo.control.links import CodeLinks
from alonzo.control.objects import NoObjects
from alonzo.control.old_variables import OldVariables
from alonzo.control.packages import Packages
from alonzo.control.rates import Rates, limited
from alonzo.control.rules import RuntimeCatalog
from alonzo.control.settings import ControlSettings
from alonzo.control.targets import OnlyFunctions
from alonzo.control.tools import Tools
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.deliveries import DestinationChecks
from alonzo.model.http import RouteHandler
from alonzo.model.ports.code import ObjectReader
from alonzo.model.ports.event_sources import SourceChecks
from alonzo.model.ports.invoking import ProvisionedConcurrency
from alonzo.model.ports.operations import Operations
from alonzo.model.ports.variables import FunctionKeys
from alonzo.store.base import Store
from alonzo.store.blobs import BlobStore

#: One operation before it is given its tools.
_Unbound = Callable[[Tools, RequestContext, dict[str, Any]], Awaitable[Mapping[str, Any] | None]]

OPERATIONS: Mapping[str, _Unbound] = {
    "AddLayerVersionPermission": layer_permissions.add_layer_version_permission,
    "AddPermission": permissions.add_permission,
    "CreateAlias": aliases.create_alias,
    "CreateCodeSigningConfig": code_signing.create_code_signing_config,
    "CreateEventSourceMapping": event_sources.create_event_source_mapping,
    "CreateFunction": functions.create_function,
    "CreateFunctionUrlConfig": function_urls.create_function_url_config,
    "DeleteAlias": aliases.delete_alias,
    "DeleteCodeSigningConfig": code_signing.delete_code_signing_config,
    "DeleteEventSourceMapping": event_sources.delete_event_source_mapping,
    "DeleteFunction": versions.delete_function,
    "DeleteFunctionCodeSigningConfig": (function_code_signing.delete_function_code_signing_config),
    "DeleteFunctionConcurrency": concurrency.delete_function_concurrency,
    "DeleteFunctionEventInvokeConfig": event_invoke.delete_function_event_invoke_config,
    "DeleteFunctionUrlConfig": function_urls.delete_function_url_config,
    "DeleteLayerVersion": layers.delete_layer_version,
    "DeleteProvisionedConcurrencyConfig": (
        provisioned_concurrency.delete_provisioned_concurrency_config
    ),
    "DeleteResourcePolicy": resource_policies.delete_resource_policy,
    "GetAccountSettings": account.get_account_settings,
    "GetAlias": aliases.get_alias,
    "GetCodeSigningConfig": code_signing.get_code_signing_config,
    "GetEventSourceMapping": event_sources.get_event_source_mapping,
    "GetFunction": functions.get_function,
    "GetFunctionCodeSigningConfig": function_code_signing.get_function_code_signing_config,
    "GetFunctionConcurrency": concurrency.get_function_concurrency,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "GetFunctionEventInvokeConfig": event_invoke.get_function_event_invoke_config,
    "GetFunctionRecursionConfig": recursion.get_function_recursion_config,
    "GetFunctionUrlConfig": function_urls.get_function_url_config,
    "GetLayerVersion": layers.get_layer_version,
    "GetLayerVersionByArn": layers.get_layer_version_by_arn,
    "GetLayerVersionPolicy": layer_permissions.get_layer_version_policy,
    "GetPolicy": permissions.get_policy,
    "GetProvisionedConcurrencyConfig": provisioned_concurrency.get_provisioned_concurrency_config,
    "GetResourcePolicy": resource_policies.get_resource_policy,
    "GetRuntimeManagementConfig": runtime_management.get_runtime_management_config,
    "ListAliases": aliases.list_aliases,
    "ListCodeSigningConfigs": code_signing.list_code_signing_configs,
    "ListEventSourceMappings": event_sources.list_event_source_mappings,
    "ListFunctionEventInvokeConfigs": event_invoke.list_function_event_invoke_configs,
    "ListFunctionUrlConfigs": function_urls.list_function_url_configs,
    "ListFunctions": functions.list_functions,
    "ListFunctionsByCodeSigningConfig": code_signing.list_functions_by_code_signing_config,
    "ListLayerVersions": layers.list_layer_versions,
    "ListLayers": layers.list_layers,
    "ListProvisionedConcurrencyConfigs": (
        provisioned_concurrency.list_provisioned_concurrency_configs
    ),
    "ListTags": tags.list_tags,
    "ListVersionsByFunction": versions.list_versions_by_function,
    "PublishLayerVersion": layers.publish_layer_version,
    "PublishVersion": versions.publish_version,
    "PutFunctionCodeSigningConfig": function_code_signing.put_function_code_signing_config,
    "PutFunctionConcurrency": concurrency.put_function_concurrency,
    "PutFunctionEventInvokeConfig": event_invoke.put_function_event_invoke_config,
    "PutFunctionRecursionConfig": recursion.put_function_recursion_config,
    "PutProvisionedConcurrencyConfig": provisioned_concurrency.put_provisioned_concurrency_config,
    "PutResourcePolicy": resource_policies.put_resource_policy,
    "PutRuntimeManagementConfig": runtime_management.put_runtime_management_config,
    "RemoveLayerVersionPermission": layer_permissions.remove_layer_version_permission,
    "RemovePermission": permissions.remove_permission,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateAlias": aliases.update_alias,
    "UpdateCodeSigningConfig": code_signing.update_code_signing_config,
    "UpdateEventSourceMapping": event_sources.update_event_source_mapping,
    "UpdateFunctionCode": updates.update_function_code,
    "UpdateFunctionConfiguration": updates.update_function_configuration,
    "UpdateFunctionEventInvokeConfig": event_invoke.update_function_event_invoke_config,
    "UpdateFunctionUrlConfig": function_urls.update_function_url_config,
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
        provisioned: ProvisionedConcurrency,
        objects: ObjectReader | None = None,
        targets: DestinationChecks | None = None,
        keys: FunctionKeys | None = None,
        sources: SourceChecks | None = None,
        sealed: SealedPackages | None = None,
    ) -> None:
        """``objects`` is where S3 is to be found; None where there is none.

        ``targets`` knows of destinations and dead-letter queues; None: only functions can be any.
        ``keys`` seal environment variables; None: there is no KMS, and they are kept as they are.
        ``sources`` knows of sources of events; None: none runs here. ``sealed`` are the packages
        with keys of their own; None: there can be none.
        """
        links = CodeLinks(settings.link_key, clock)
        variables = Variables(keys, settings.link_key)
        self._old = OldVariables(store, variables)
        sealed = sealed or SealedPackages(blobs, settings.link_key, ids)
        tools = Tools(
            store=store,
            packages=Packages(store, blobs, clock=clock, settings=settings),
            runtimes=runtimes,
            clock=clock,
            ids=ids,
            settings=settings,
            links=links,
            objects=objects or NoObjects(),
            provisioned=provisioned,
            targets=targets or OnlyFunctions(),
            sources=sources or NoPollers(),
            variables=variables,
            sealed=sealed,
        )
        #: As the platform itself asks them, at no rate.
        self.unlimited: Operations = {
            name: partial(operation, tools) for name, operation in OPERATIONS.items()
        }
        self.operations = self.unlimited
        if settings.requests_s is not None:
            self.operations = limited(self.unlimited, Rates(clock, settings.requests_s))
        self.download: RouteHandler = CodeDownloads(links, sealed)

    async def seal_old(self) -> None:
        """Seal the variables that an earlier release kept in plain text."""
        await self._old.seal()

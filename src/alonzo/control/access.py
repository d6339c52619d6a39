"""What the operations of Lambda need to be allowed.

Actions are called as their operations but where ``_ACTIONS`` says otherwise.

Source: service authorization reference, actions, resources and condition keys for AWS Lambda.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules, on_all
from alonzo.model.arns import parse_function_ref
from alonzo.model.context import RequestContext

_Resource = Callable[[RequestContext, Mapping[str, Any]], str]

_ACTIONS = {"GetLayerVersionByArn": "GetLayerVersion"}

#: Operations on the account, or on what the parameters name by no ARN.
_ON_ALL = (
    "CreateCodeSigningConfig",
    "GetAccountSettings",
    "ListCodeSigningConfigs",
    "ListFunctions",
    "ListLayerVersions",
    "ListLayers",
)
_ON_FUNCTIONS = (
    "AddPermission",
    "CreateAlias",
    "CreateFunctionUrlConfig",
    "DeleteAlias",
    "DeleteFunction",
    "DeleteFunctionCodeSigningConfig",
    "DeleteFunctionConcurrency",
    "DeleteFunctionEventInvokeConfig",
    "DeleteFunctionUrlConfig",
    "DeleteProvisionedConcurrencyConfig",
    "GetAlias",
    "GetFunction",
    "GetFunctionCodeSigningConfig",
    "GetFunctionConcurrency",
    "GetFunctionConfiguration",
    "GetFunctionEventInvokeConfig",
    "GetFunctionRecursionConfig",
    "GetFunctionUrlConfig",
    "GetPolicy",
    "GetProvisionedConcurrencyConfig",
    "GetRuntimeManagementConfig",
    "InvokeAsync",
    "ListAliases",
    "ListFunctionEventInvokeConfigs",
    "ListFunctionUrlConfigs",
    "ListProvisionedConcurrencyConfigs",
    "ListVersionsByFunction",
    "PublishVersion",
    "PutFunctionCodeSigningConfig",
    "PutFunctionConcurrency",
    "PutFunctionEventInvokeConfig",
    "PutFunctionRecursionConfig",
    "PutProvisionedConcurrencyConfig",
    "PutRuntimeManagementConfig",
    "RemovePermission",
    "UpdateAlias",
    "UpdateFunctionCode",
    "UpdateFunctionEventInvokeConfig",
    "UpdateFunctionUrlConfig",
)
_ON_LAYER_VERSIONS = (
    "AddLayerVersionPermission",
    "DeleteLayerVersion",
    "GetLayerVersion",
    "GetLayerVersionPolicy",
    "RemoveLayerVersionPermission",
)
_ON_CODE_SIGNING_CONFIGS = (
    "DeleteCodeSigningConfig",
    "GetCodeSigningConfig",
    "ListFunctionsByCodeSigningConfig",
    "UpdateCodeSigningConfig",
)
_ON_MAPPINGS = ("DeleteEventSourceMapping", "GetEventSourceMapping")
#: Condition keys that are parameters.
_KEYS = {
    "Principal": "lambda:principal",
    "FunctionUrlAuthType": "lambda:functionurlauthtype",
    "AuthType": "lambda:functionurlauthtype",
    "CodeSigningConfigArn": "lambda:codesigningconfigarn",
}
_VPC_KEYS = {
    "VpcId": "lambda:vpcids",
    "SubnetIds": "lambda:subnetids",
    "SecurityGroupIds": "lambda:securitygroupids",
}


def access_rules() -> AccessRules:
    """The rules, by operation."""
    return {
        **{name: on_all(f"lambda:{name}") for name in _ON_ALL},
        **_rules(_ON_FUNCTIONS, _function),
        **_rules(_ON_LAYER_VERSIONS, _layer_version),
        **_rules(_ON_CODE_SIGNING_CONFIGS, lambda _, params: params["CodeSigningConfigArn"]),
        **_rules(_ON_MAPPINGS, _mapping),
        **_rules(("CreateEventSourceMapping", "ListEventSourceMappings"), _no_resource),
        **_rules(("GetLayerVersionByArn",), lambda _, params: params["Arn"]),
        **_rules(("PublishLayerVersion",), _layer),
        **_rules(
            ("DeleteResourcePolicy", "GetResourcePolicy", "PutResourcePolicy"),
            lambda _, params: params["ResourceArn"],
        ),
        **_rules(
            ("ListTags", "TagResource", "UntagResource"), lambda _, params: params["Resource"]
        ),
        "CreateFunction": _configures("lambda:CreateFunction"),
        "UpdateEventSourceMapping": _update_mapping,
        "UpdateFunctionConfiguration": _configures("lambda:UpdateFunctionConfiguration"),
    }


def _rules(names: Sequence[str], resource: _Resource) -> AccessRules:
    return {name: _rule(f"lambda:{_ACTIONS.get(name, name)}", resource) for name in names}


def _rule(action: str, resource: _Resource) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        return (Access(action, resource(context, params), _keys(context, params)),)

    return rule


def _configures(action: str) -> AccessRule:
    """A function gets a role, layers and tags: each is a permission of its own."""

    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        function = _function(context, params)
        wanted = [Access(action, function, _keys(context, params))]
        if params.get("Role"):
            service = {"iam:passedtoservice": "lambda.amazonaws.com"}
            wanted.append(
                Access(
                    "iam:PassRole",
                    params["Role"],
                    {**service, "iam:associatedresourcearn": function},
                )
            )
        wanted += [Access("lambda:GetLayerVersion", arn) for arn in params.get("Layers") or ()]
        if params.get("Tags"):
            wanted.append(Access("lambda:TagResource", function))
        return wanted

    return rule


def _function(context: RequestContext, params: Mapping[str, Any]) -> str:
    return parse_function_ref(
        params["FunctionName"],
        params.get("Qualifier"),
        account=context.account,
        region=context.region,
    ).arn


def _layer(context: RequestContext, params: Mapping[str, Any]) -> str:
    name = str(params["LayerName"])
    if name.startswith("arn:"):
        return name
    return f"arn:aws:lambda:{context.region}:{context.account}:layer:{name}"


def _layer_version(context: RequestContext, params: Mapping[str, Any]) -> str:
    return f"{_layer(context, params)}:{params['VersionNumber']}"


def _no_resource(_context: RequestContext, _params: Mapping[str, Any]) -> str:
    return "*"


def _mapping(context: RequestContext, params: Mapping[str, Any]) -> str:
    head = f"arn:aws:lambda:{context.region}:{context.account}:event-source-mapping"
    return f"{head}:{params['UUID']}"


def _update_mapping(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    """One that gets another function is changed for both: a policy may be about one alone."""
    action, mapping = "lambda:UpdateEventSourceMapping", _mapping(context, params)
    keys = _keys(context, params)
    old = Access(action, mapping)
    return (old, Access(action, mapping, keys)) if keys else (old,)


def _keys(context: RequestContext, params: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    keys: dict[str, str | tuple[str, ...]] = {
        key: str(params[member]) for member, key in _KEYS.items() if params.get(member)
    }
    if params.get("FunctionName"):
        keys["lambda:functionarn"] = _function(context, params)
    if params.get("Layers"):
        keys["lambda:layer"] = tuple(params["Layers"])
    vpc: Mapping[str, Any] = params.get("VpcConfig") or {}
    for member, key in _VPC_KEYS.items():
        value = vpc.get(member)
        if value:
            keys[key] = value if isinstance(value, str) else tuple(value)
    return keys

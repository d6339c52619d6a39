"""The policy simulator: what the policies of somebody would say to a request.

It asks the evaluator that guards every request. Organisations and the effects of one service's
rules on another's are not simulated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

from alonzo.lib.policies import principals
from alonzo.lib.policies.compiled import Policy, PolicyError, Request
from alonzo.lib.policies.evaluation import Decision, Policies, PolicyType, evaluate
from alonzo.lib.policies.grammar import (
    compiled,
    read_identity,
    read_resource_based,
    statements_of,
)
from alonzo.lib.policies.patterns import Variable, split
from alonzo.lib.policies.principals import Caller
from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, managed, records
from alonzo.services.iam.identities import read_holdings
from alonzo.services.iam.operations import IamOperations
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind
from alonzo.store.base import Connection

#: Actions times resources of one simulation. AWS documents no number.
ASKED_MAX = 100_000

_TYPES = {
    PolicyType.IDENTITY: "IAM Policy",
    PolicyType.RESOURCE: "Resource Policy",
    PolicyType.BOUNDARY: "IAM Permission Boundary Policy",
    PolicyType.SESSION: "IAM Policy",
}


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whom a simulation is about."""

    caller: Caller
    identity: tuple[Policy, ...]
    boundary: Policy | None


class SimulationOperations(IamOperations):
    """SimulateCustomPolicy, SimulatePrincipalPolicy, and the keys that policies look at."""

    async def simulate_custom_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """SimulateCustomPolicy."""
        if params.get("OrderedOrganizationPolicyInputList"):
            raise errors.invalid_input("Policies of organizations are not simulated.")
        own = tuple(_inputs("PolicyInputList", params))
        caller = _caller(context, params.get("CallerArn"))
        return _simulate(context, params, _Subject(caller, own, _boundary(params)))

    async def simulate_principal_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """SimulatePrincipalPolicy: with the policies that a user, group or role has now."""
        if params.get("PolicyExclusionList"):
            raise errors.invalid_input("Policies cannot be left out of a simulation.")
        arn = params["PolicySourceArn"]

        def work(conn: Connection) -> _Subject:
            entity = _find_source(conn, context, arn)
            if entity.kind is Kind.GROUP:
                return _Subject(_of(entity), _of_group(conn, entity), None)
            holdings = read_holdings(conn, entity.unique_id)
            assert holdings is not None
            return _Subject(_of(entity), holdings.identity, holdings.boundary)

        found = await self._identities.read(work)
        more = tuple(_inputs("PolicyInputList", params))
        caller = _caller(context, params["CallerArn"]) if params.get("CallerArn") else found.caller
        boundary = _boundary(params) or found.boundary
        return _simulate(context, params, _Subject(caller, found.identity + more, boundary))

    async def get_context_keys_for_custom_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetContextKeysForCustomPolicy."""
        return {"ContextKeyNames": _key_names(params["PolicyInputList"])}

    async def get_context_keys_for_principal_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetContextKeysForPrincipalPolicy."""

        def work(conn: Connection) -> list[str]:
            entity = _find_source(conn, context, params["PolicySourceArn"])
            sources = [entity]
            if entity.kind is Kind.USER:
                sources += records.groups_of(conn, entity)
            texts = [text for each in sources for text in records.inline(conn, each).values()]
            for source in sources:
                for arn in records.attached(conn, source):
                    policy = managed.find(conn, context.account, arn)
                    texts.append(managed.default_version(conn, policy).text)
            return texts

        texts = await self._identities.read(work)
        return {"ContextKeyNames": _key_names([*texts, *(params.get("PolicyInputList") or ())])}


def _simulate(
    context: RequestContext, params: Mapping[str, Any], subject: _Subject
) -> Mapping[str, Any]:
    given = _context(params.get("ContextEntries") or ())
    resource_policy = _resource_policy(params)
    resources: Sequence[str] = params.get("ResourceArns") or ["*"]
    owner = params.get("ResourceOwner")
    n_asked = len(params["ActionNames"]) * len(resources)
    if n_asked > ASKED_MAX:
        raise errors.invalid_input(f"One simulation asks for {ASKED_MAX} results at most.")
    asked = [
        (f"{place:06d}", action, resource)
        for place, (action, resource) in enumerate(product(params["ActionNames"], resources))
    ]
    shown, answer = one_page("EvaluationResults", asked, params, lambda each: each[0])
    policies = Policies(subject.identity, subject.boundary, None, resource_policy)
    results = [
        _result(
            Request(
                action,
                resource,
                subject.caller,
                _owner(owner, resource, context.account),
                given,
            ),
            policies,
        )
        for _, action, resource in shown
    ]
    return {**answer, "EvaluationResults": results}


def _result(request: Request, policies: Policies) -> dict[str, Any]:
    decision = evaluate(request, policies)
    missing = sorted(policies.context_keys() - request.context.keys())
    result: dict[str, Any] = {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": _word(decision),
        "MatchedStatements": [
            {
                "SourcePolicyId": match.policy.name,
                "SourcePolicyType": _TYPES[match.type],
            }
            for match in decision.matches
        ],
        "MissingContextValues": missing,
    }
    if policies.boundary is not None:
        alone = evaluate(request, Policies(identity=(policies.boundary,)))
        result["PermissionsBoundaryDecisionDetail"] = {
            "AllowedByPermissionsBoundary": alone.allowed
        }
    return result


def _word(decision: Decision) -> str:
    if decision.allowed:
        return "allowed"
    return "explicitDeny" if decision.explicit else "implicitDeny"


def _inputs(member: str, params: Mapping[str, Any]) -> Iterator[Policy]:
    for place, text in enumerate(params.get(member) or (), start=1):
        try:
            yield read_identity(text, f"{member}.{place}")[1]
        except PolicyError as error:
            raise errors.invalid_input(f"Invalid policy in {member}: {error}") from error


def _boundary(params: Mapping[str, Any]) -> Policy | None:
    return next(_inputs("PermissionsBoundaryPolicyInputList", params), None)


def _resource_policy(params: Mapping[str, Any]) -> Policy | None:
    text = params.get("ResourcePolicy")
    if not text:
        return None
    try:
        return read_resource_based(text, "ResourcePolicy")[1]
    except PolicyError as error:
        raise errors.invalid_input(f"Invalid resource policy: {error}") from error


def _context(entries: Sequence[Mapping[str, Any]]) -> dict[str, str | tuple[str, ...]]:
    given: dict[str, str | tuple[str, ...]] = {}
    for entry in entries:
        values: list[str] = entry.get("ContextKeyValues") or []
        several = str(entry.get("ContextKeyType", "string")).endswith("List")
        key = str(entry.get("ContextKeyName", "")).lower()
        given[key] = tuple(values) if several or len(values) != 1 else values[0]
    return given


def _owner(owner: str | None, resource: str, account: str) -> str:
    if owner:
        parts = owner.split(":")
        return parts[4] if len(parts) > 4 else owner
    parts = resource.split(":")
    return parts[4] if len(parts) > 5 and parts[4].isdigit() else account


def _caller(context: RequestContext, arn: str | None) -> Caller:
    if not arn:
        return principals.user(f"arn:aws:iam::{context.account}:user/", context.account, "")
    parts = arn.split(":")
    if len(parts) < 6:
        raise errors.invalid_input(f"Invalid caller ARN {arn}")
    return principals.user(arn, parts[4], "")


def _of(entity: Entity) -> Caller:
    if entity.kind is Kind.ROLE:
        names = frozenset((entity.arn, entity.unique_id))
        return Caller(entity.arn, entity.account, role=names)
    return principals.user(entity.arn, entity.account, entity.unique_id)


def _of_group(conn: Connection, group: Entity) -> tuple[Policy, ...]:
    own = [
        managed.ready(text, f"group_{group.name}_{name}")
        for name, text in records.inline(conn, group).items()
    ]
    attached = [
        managed.try_ready(conn, group.account, arn) for arn in records.attached(conn, group)
    ]
    return (*own, *(each for each in attached if each is not None))


def _find_source(conn: Connection, context: RequestContext, arn: str) -> Entity:
    _, _, rest = arn.partition(f":{context.account}:")
    kind, _, path = rest.partition("/")
    if kind not in (Kind.USER, Kind.GROUP, Kind.ROLE) or not path:
        raise errors.invalid_input(
            f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
        )
    entity = records.find(conn, context.account, Kind(kind), path.rpartition("/")[2])
    if entity.arn != arn:
        raise errors.not_found(kind, path.rpartition("/")[2])
    return entity


def _key_names(texts: Sequence[str]) -> list[str]:
    names: dict[str, str] = {}
    for text in texts:
        for name in _names_in(text):
            names.setdefault(name.lower(), name)
    return sorted(names.values())


def _names_in(text: str) -> Iterator[str]:
    try:
        document = json.loads(text)
        compiled(document)
    except (PolicyError, ValueError, KeyError, TypeError) as error:
        raise errors.invalid_input(f"Invalid policy: {error}") from error
    for statement in statements_of(document):
        for demands in cast("dict[str, dict[str, Any]]", statement.get("Condition", {})).values():
            yield from demands
            for value in demands.values():
                yield from _variables(value)
        yield from _variables(statement.get("Resource", []))


def _variables(value: Any) -> Iterator[str]:
    for text in cast("list[Any]", value) if isinstance(value, list) else [value]:
        for part in split(str(text), variables=True, wildcards=False):
            if isinstance(part, Variable):
                yield part.key

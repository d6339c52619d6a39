"""Whether a request may pass. Implements ``ports.Authorizer``.

* The root user may do everything in the account, but for what the policy of a key, a bucket, a
  queue or a topic denies; those policies themselves, but of keys, it may always read and replace.
* Users, and sessions of roles that IAM knows, may do what their policies and the policy of the
  resource allow.
* A role that is given to a function must let Lambda in.
* A role that IAM does not know allows its sessions nothing, and no function may be given one.
* A service that calls by itself may do what the policy of the resource lets it do.
* In soft mode nobody who signs is refused; the log says once for each caller and action what would
  have been.

Decisions that depend on nothing but caller, action and resource are kept until any identity or any
policy of a function changes. Tags of a resource are read only where a policy asks for them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

from alonzo.lib.policies import principals
from alonzo.lib.policies.compiled import Policy, Request
from alonzo.lib.policies.evaluation import (
    Decision,
    Policies,
    PolicyType,
    evaluate,
    grant_of,
)
from alonzo.lib.policies.principals import Caller, Grant
from alonzo.model.access import Access, AccessRules
from alonzo.model.arns import parse_function_ref
from alonzo.model.callers import caller_of
from alonzo.model.context import ANONYMOUS, Principal, RequestContext
from alonzo.model.errors import AwsError, access_denied, invalid_parameter
from alonzo.model.invocations import InvokeRequest
from alonzo.model.ports.identity import ResourceFacts, ResourcePolicies
from alonzo.services.iam import managed, records
from alonzo.services.iam.authority import policies_of
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.last_used import LastUsed
from alonzo.services.iam.refusals import refusal_of
from alonzo.services.iam.request_context import global_context, tag_context
from alonzo.store.base import Connection

log = logging.getLogger("alonzo.iam")

#: Decisions kept, and lines about requests that would be refused; then all are made anew.
KEPT_MAX = 16_384

_PASSES_A_ROLE = "iam:PassRole"
_PASSED_TO = "iam:passedtoservice"
_LAMBDA = "lambda.amazonaws.com"
#: Services whose resources may refuse their account's root user.
_ROOT_IS_ASKED = frozenset({"kms", "s3"})
#: The same, and nothing but a denial of theirs can.
_ROOT_IS_DENIED = frozenset({"sns", "sqs"})
#: What they may do whatever those policies deny, so that nothing is lost. Source: S3 API reference,
#: PutBucketPolicy; IAM user guide, tasks that require root user credentials. Of topics it is ours.
_ROOT_MAY = frozenset(
    {
        "s3:DeleteBucketPolicy",
        "s3:GetBucketPolicy",
        "s3:PutBucketPolicy",
        "sns:GetTopicAttributes",
        "sns:SetTopicAttributes",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:SetQueueAttributes",
    }
)

#: Keys that the name under which a decision is kept says everything about: the caller's key, or the
#: service and on whose behalf it calls. A change of the caller's tags is a change of an identity.
_SETTLED = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principalservicename",
        "aws:principaltype",
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceidentity",
        "aws:userid",
        "aws:username",
        "lambda:sourcefunctionarn",
    }
)
_PRINCIPAL_TAG = "aws:principaltag/"
#: New tags of a function are a change that ``ResourcePolicies`` counts.
_LASTING_TAGS = (_PRINCIPAL_TAG, "aws:resourcetag/")

_InvokeKey = tuple[str, str, str, str | None]


class Authorizer:
    """Decides requests of every service."""

    def __init__(
        self,
        identities: Identities,
        resources: ResourcePolicies,
        rules: Mapping[str, AccessRules],
        *,
        mode: Literal["strict", "soft"],
        facts: ResourceFacts | None = None,
        more_rules: Callable[[str], Awaitable[AccessRules]] | None = None,
    ) -> None:
        """``rules`` are the tables of services by name; ``more_rules`` answers the others."""
        self._more_rules = more_rules
        self._facts = facts
        self._identities = identities
        self._resources = resources
        self._rules = dict(rules)
        self._soft = mode == "soft"
        self._invokes: set[_InvokeKey] = set()
        self._made_in = (-1, -1)
        self._said: set[tuple[str, str]] = set()
        self.used = LastUsed(identities)

    async def authorize(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> None:
        """Let one call of an operation pass.

        Raises:
            AwsError: AccessDenied, in the words of the service.
        """
        principal = context.principal
        self.used.note_nowait(principal, service, context.region)
        if principal.is_root and principal.session is None:
            if service == "lambda" and params.get("Role"):
                await self._check_role(principal, params["Role"])
            if service not in _ROOT_IS_ASKED:
                await self._check_root(context, service, operation, params)
                return
        if service == "iam" and principal.session is not None and not principal.session.role_arn:
            # Source: STS API reference, GetSessionToken: no IAM without a second factor.
            raise AwsError(
                "InvalidClientTokenId",
                "The security token included in the request is invalid",
                status=403,
            )
        rules = self._rules.get(service) or await self._find_rules(service)
        for access in rules[operation](context, params):
            await self._check(context, service, access, params)
            # Other services ask ``ports.RoleTrust``, with what they will use the role for.
            if access.action == _PASSES_A_ROLE and access.keys.get(_PASSED_TO) == _LAMBDA:
                await self._check_role(principal, access.resource)

    def may_invoke_nowait(self, request: InvokeRequest) -> bool:
        """Whether it is known that the caller may; if not, ``authorize_invoke`` finds out."""
        principal = request.principal
        self.used.note_nowait(principal, "lambda", request.region)
        if principal.is_root and request.account == principal.account:
            return True
        return self._is_current() and _key(request) in self._invokes

    async def authorize_invoke(self, request: InvokeRequest, context: RequestContext) -> None:
        """Let one invocation pass.

        Raises:
            AwsError: AccessDeniedException, or the function's name is none.
        """
        arn = parse_function_ref(
            request.function_name,
            request.qualifier,
            account=request.account,
            region=request.region,
        ).arn
        self._is_current()
        made_in = self._made_in
        access = Access("lambda:InvokeFunction", arn, {"lambda:functionarn": arn})
        lasting = await self._check(context, "lambda", access, {})
        if lasting and self._is_current() and made_in == self._made_in:
            if len(self._invokes) >= KEPT_MAX:
                self._invokes.clear()
            self._invokes.add(_key(request))

    async def refusal(
        self, context: RequestContext, service: str, access: Access
    ) -> AwsError | None:
        """Why one access of a call is refused; None: it may pass."""
        try:
            await self._check(context, service, access, {})
        except AwsError as error:
            return error
        return None

    async def allows(self, context: RequestContext, access: Access) -> tuple[bool, bool]:
        """Whether an access would pass, and whether that will be so until ``generation`` grows."""
        _, decision, lasts = await self._decide(context, access, {})
        if self._soft and not decision.allowed:
            self._say(context.principal, access)
            return True, lasts
        return decision.allowed, lasts

    @property
    def generation(self) -> tuple[int, int]:
        """Grows with every change that decisions depend on."""
        return self._identities.generation, self._resources.generation

    async def _find_rules(self, service: str) -> AccessRules:
        assert self._more_rules is not None
        rules = self._rules[service] = await self._more_rules(service)
        return rules

    async def _check_root(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> None:
        """Ask for what is another account's, and where a policy of the account's own denies."""
        own = context.principal.account
        rules = self._rules.get(service) or await self._find_rules(service)
        for access in rules[operation](context, params):
            if _owner_of(access, own) != own or (
                service in _ROOT_IS_DENIED and await self._denies(access)
            ):
                await self._check(context, service, access, params)

    async def _denies(self, access: Access) -> bool:
        """Whether the policy of a resource denies anything: hardly one does."""
        policy = await self._resources.find(_of_our_partition(access.resource))
        return policy is not None and bool(policy.denies)

    async def _check(
        self, context: RequestContext, service: str, access: Access, params: Mapping[str, Any]
    ) -> bool:
        """Raise if the access is refused; answers whether it will pass in every such call."""
        if _is_of_root_alone(context.principal, access):
            return True
        request, decision, lasts = await self._decide(context, access, params)
        if not decision.allowed:
            self._refuse(service, request, decision, context.principal, access)
        return decision.allowed and lasts

    async def _decide(
        self, context: RequestContext, access: Access, params: Mapping[str, Any]
    ) -> tuple[Request, Decision, bool]:
        """The decision, and whether every such call of the same caller gets the same."""
        principal = context.principal
        access = replace(access, resource=_of_our_partition(access.resource))
        resource = await self._resources.find(access.resource)
        policies = await policies_of(self._identities, principal, resource)
        identity_id = self._identities.identity_of(principal)
        holdings = None if identity_id is None else await self._identities.holdings(identity_id)
        asked = policies.context_keys()
        account = _owner_of(access, context.account)
        request = Request(
            access.action,
            access.resource,
            caller_of(principal),
            account,
            {
                **global_context(
                    context,
                    self._identities.clock.now_s(),
                    None if holdings is None else holdings.tags,
                ),
                "aws:resourceaccount": account,
                **_tags_of(params),
                **({} if self._facts is None else await self._facts.find(access.resource, asked)),
                **access.keys,
            },
        )
        decision = evaluate(request, policies)
        if decision.allowed and access.policy_decides and resource is not None:
            decision = _as_the_resource_says(request, resource, decision)
        lasting = _LASTING_TAGS if ":function:" in access.resource else _PRINCIPAL_TAG
        lasts = all(
            key in _SETTLED or key in access.keys or key.startswith(lasting) for key in asked
        )
        return request, decision, lasts

    def _refuse(
        self,
        service: str,
        request: Request,
        decision: Decision,
        principal: Principal,
        access: Access,
    ) -> None:
        # Accounts stay apart, whatever is made of policies. A service calls for somebody.
        caller = request.caller.account or request.context.get("aws:sourceaccount")
        is_known = principal != ANONYMOUS
        if self._soft and is_known and caller in (None, request.account):
            self._say(principal, access)
            return
        raise refusal_of(service, request, decision)

    async def _check_role(self, principal: Principal, role_arn: str) -> None:
        """Refuse a role of another account, and one that Lambda cannot assume.

        Raises:
            AwsError: AccessDeniedException, InvalidParameterValueException.
        """
        if _account_of(role_arn, principal.account) != principal.account:
            raise access_denied("Cross-account pass role is not allowed.")
        unique_id = self._identities.unique_id(role_arn)
        if unique_id is not None and await self._identities.read(
            lambda conn: _lets_in_lambda(conn, unique_id)
        ):
            return
        if self._soft:
            self._say(principal, Access("sts:AssumeRole", role_arn))
            return
        raise invalid_parameter("The role defined for the function cannot be assumed by Lambda.")

    def _is_current(self) -> bool:
        """Whether what is kept still counts; if not, it is gone."""
        now = self.generation
        if now != self._made_in:
            self._invokes.clear()
            self._made_in = now
            return False
        return True

    def _say(self, principal: Principal, access: Access) -> None:
        """Write a line, once for a caller's identity and an action."""
        key = (principal.identity_id, access.action)
        if key in self._said:
            return
        if len(self._said) >= KEPT_MAX:
            self._said.clear()
        self._said.add(key)
        log.warning(
            "iam.would_refuse",
            extra={
                "caller": principal.arn,
                "action": access.action,
                "resource": access.resource,
            },
        )


def _is_of_root_alone(principal: Principal, access: Access) -> bool:
    """Whether an access is one that no policy can take from the owner's root user."""
    own = principal.account
    return principal.is_root and access.action in _ROOT_MAY and _owner_of(access, own) == own


def _key(request: InvokeRequest) -> _InvokeKey:
    return (
        request.principal.access_key_id,
        request.region,
        request.function_name,
        request.qualifier,
    )


def _lets_in_lambda(conn: Connection, unique_id: str) -> bool:
    role = records.try_find_by_id(conn, unique_id)
    if role is None:
        return False
    trust = managed.ready(role.document["trust"], role.arn)
    caller: Caller = principals.service(_LAMBDA)
    request = Request("sts:AssumeRole", role.arn, caller, role.account)
    if evaluate(request, Policies(resource=trust)).allowed:
        return True
    # A condition may name the function that Lambda assumes the role for: that is not known here.
    return any(
        statement.conditions.keys
        and statement.principals is not None
        and statement.principals.grant(caller) is not Grant.NONE
        for statement in trust.allows
    )


def _as_the_resource_says(request: Request, resource: Policy, decision: Decision) -> Decision:
    if grant_of(request, resource) is Grant.NONE:
        return Decision(allowed=False, type=PolicyType.RESOURCE)
    return decision


def _of_our_partition(arn: str) -> str:
    """The ARN as policies here name it: other spellings of its partition mean the same thing."""
    head, _, rest = arn.partition(":")
    partition, colon, rest = rest.partition(":")
    return f"arn:aws:{rest}" if head == "arn" and colon and partition != "aws" else arn


def _owner_of(access: Access, account: str) -> str:
    """The account that an access is of; the caller's where nothing says it."""
    return access.account or _account_of(access.resource, account)


def _account_of(arn: str, account: str) -> str:
    """The account of a resource; the caller's where the ARN names none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 5 and parts[4] not in ("", "aws") else account


def _tags_of(params: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    """The keys that the tags of a request become; the services spell them in several ways."""
    tags: Any = params.get("Tags") or params.get("tags") or ()
    if isinstance(tags, dict):
        return tag_context(cast("dict[str, str]", tags))
    named = [cast("dict[str, str]", tag) for tag in tags if isinstance(tag, dict)]
    if named and "TagKey" not in named[0]:
        return tag_context({tag["Key"]: tag.get("Value", "") for tag in named if "Key" in tag})
    if named:
        return {}  # In KMS's spelling, which its own table reads.
    # UntagLogGroup's ``tags`` are keys.
    keys: Any = params.get("TagKeys") or params.get("tagKeys") or tags
    return {"aws:tagkeys": tuple(keys)} if keys else {}

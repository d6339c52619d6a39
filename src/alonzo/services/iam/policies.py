"""Operations on managed policies and their versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.lib.policies.grammar import read_identity
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.iam import errors, managed, records
from alonzo.services.iam.aws_managed import AWS_MANAGED, AwsManagedPolicy
from alonzo.services.iam.identities import Unit
from alonzo.services.iam.limits import MANAGED_CHARS_MAX, VERSIONS_MAX
from alonzo.services.iam.managed import Version, encoded
from alonzo.services.iam.operations import (
    IamOperations,
    check_policy,
    head,
    path_prefix,
    policy_chars,
    with_tags,
)
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind, Q, entity_from
from alonzo.services.iam.tags import read_tags
from alonzo.store.base import Connection


class PolicyOperations(IamOperations):
    """CreatePolicy and its like."""

    async def create_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreatePolicy."""
        text = params["PolicyDocument"]
        _check_document(text)
        now_s = float(int(self._now_s()))
        document: dict[str, Any] = {"updated_at_s": now_s, "last_version": 1}
        if params.get("Description") is not None:
            document["description"] = params["Description"]
        if tags := read_tags(params.get("Tags")):
            document["tags"] = tags

        def work(unit: Unit) -> dict[str, Any]:
            policy = records.insert(
                unit.conn,
                ids=self._identities.ids,
                account=context.account,
                kind=Kind.POLICY,
                name=params["PolicyName"],
                path=params.get("Path") or "/",
                now_s=now_s,
                document=document,
            )
            _add_version(unit.conn, policy, 1, text, now_s)
            _set_default(unit.conn, policy, 1)
            return {"Policy": {**render(unit.conn, context.account, policy), **with_tags(policy)}}

        return await self._identities.change(work)

    async def get_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetPolicy."""

        def work(conn: Connection) -> dict[str, Any]:
            policy = managed.find(conn, context.account, params["PolicyArn"])
            rendered = render(conn, context.account, policy, detailed=True)
            return {"Policy": rendered}

        return await self._identities.read(work)

    async def list_policies(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListPolicies: the account's own and AWS's, by name."""
        scope, prefix = params.get("Scope") or "All", path_prefix(params)
        usage = params.get("PolicyUsageFilter")

        def work(conn: Connection) -> dict[str, Any]:
            found: list[Entity | AwsManagedPolicy] = []
            if scope in ("All", "Local"):
                found += records.page(
                    conn, context.account, Kind.POLICY, path=prefix, after="", limit=1 << 20
                )
            if scope in ("All", "AWS"):
                found += [each for each in AWS_MANAGED.values() if each.path.startswith(prefix)]
            if params.get("OnlyAttached") or usage:
                arns = _attached_arns(conn, context.account, usage)
                found = [each for each in found if each.arn in arns]
            found.sort(key=_key)
            shown, answer = one_page("Policies", found, params, _key)
            return {
                **answer,
                "Policies": [render(conn, context.account, each) for each in shown],
            }

        return await self._identities.read(work)

    async def delete_policy(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeletePolicy, once nothing holds on to it."""

        def work(unit: Unit) -> None:
            conn = unit.conn
            policy = _find_own(conn, context, params)
            row = {"account": context.account, "policy_arn": policy.arn}
            if conn.all(Q.entities_of_policy, row):
                raise errors.delete_conflict("Cannot delete a policy attached to entities.")
            if len(managed.versions(conn, policy)) > 1:
                raise errors.delete_conflict(
                    "This policy has more than one version. Before you delete a policy, you must "
                    "delete the policy's versions. The default version is deleted with the policy."
                )
            records.delete(conn, policy)

        await self._identities.change(work)

    async def create_policy_version(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreatePolicyVersion."""
        text = params["PolicyDocument"]
        _check_document(text)
        now_s = float(int(self._now_s()))

        def work(unit: Unit) -> dict[str, Any]:
            conn = unit.conn
            policy = _find_own(conn, context, params)
            if len(managed.versions(conn, policy)) >= VERSIONS_MAX:
                raise AwsError(
                    "LimitExceededException",
                    f"A managed policy can have up to {VERSIONS_MAX} versions. Before you create "
                    "a new version, you must delete an existing version.",
                )
            number = policy.document["last_version"] + 1
            _add_version(conn, policy, number, text, now_s)
            records.save(conn, policy.changed(last_version=number, updated_at_s=now_s))
            is_default = bool(params.get("SetAsDefault"))
            if is_default:
                _set_default(conn, policy, number)
            return {"PolicyVersion": _version_head(Version(number, is_default, now_s, text))}

        return await self._identities.change(work)

    async def get_policy_version(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetPolicyVersion."""

        def work(conn: Connection) -> dict[str, Any]:
            policy = managed.find(conn, context.account, params["PolicyArn"])
            return {
                "PolicyVersion": render_version(managed.version(conn, policy, params["VersionId"]))
            }

        return await self._identities.read(work)

    async def list_policy_versions(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListPolicyVersions, the newest first."""

        def work(conn: Connection) -> dict[str, Any]:
            policy = managed.find(conn, context.account, params["PolicyArn"])
            shown, answer = one_page(
                "Versions",
                managed.versions(conn, policy),
                params,
                # The newest first, in an order that grows.
                lambda version: f"{10**9 - version.number:010d}",
            )
            return {**answer, "Versions": [_version_head(each) for each in shown]}

        return await self._identities.read(work)

    async def delete_policy_version(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeletePolicyVersion, but of the default one."""

        def work(unit: Unit) -> None:
            policy = _find_own(unit.conn, context, params)
            version = managed.version(unit.conn, policy, params["VersionId"])
            if version.is_default:
                raise errors.delete_conflict("Cannot delete the default version of a policy.")
            row = {"policy_id": policy.unique_id, "number": version.number}
            unit.conn.execute(Q.delete_version, row)

        await self._identities.change(work)

    async def set_default_policy_version(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """SetDefaultPolicyVersion: in force at once for all who have the policy."""

        def work(unit: Unit) -> None:
            policy = _find_own(unit.conn, context, params)
            version = managed.version(unit.conn, policy, params["VersionId"])
            _set_default(unit.conn, policy, version.number)
            changed = policy.changed(updated_at_s=float(int(self._now_s())))
            records.save(unit.conn, changed)

        await self._identities.change(work)

    async def list_entities_for_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListEntitiesForPolicy."""
        wanted = {"User": Kind.USER, "Role": Kind.ROLE, "Group": Kind.GROUP}.get(
            str(params.get("EntityFilter"))
        )
        usage = _USAGES.get(str(params.get("PolicyUsageFilter")))

        def work(conn: Connection) -> dict[str, Any]:
            arn = managed.find(conn, context.account, params["PolicyArn"]).arn
            rows = conn.all(Q.entities_of_policy, {"account": context.account, "policy_arn": arn})
            found = {
                (entity.kind, entity.name.lower()): entity
                for row, entity in ((row, entity_from(row)) for row in rows)
                if (usage in (None, row["usage"]))
                and wanted in (None, entity.kind)
                and entity.path.startswith(path_prefix(params))
            }
            entities = [found[key] for key in sorted(found)]
            shown, answer = one_page("Entities", entities, params, _place)
            del answer["Entities"]
            return {
                **answer,
                **{
                    f"Policy{word}s": [
                        {f"{word}Name": each.name, f"{word}Id": each.unique_id}
                        for each in shown
                        if each.kind is kind
                    ]
                    for word, kind in (
                        ("Group", Kind.GROUP),
                        ("User", Kind.USER),
                        ("Role", Kind.ROLE),
                    )
                },
            }

        return await self._identities.read(work)


_USAGES = {"PermissionsPolicy": "policy", "PermissionsBoundary": "boundary"}


def render(
    conn: Connection, account: str, policy: Entity | AwsManagedPolicy, *, detailed: bool = False
) -> dict[str, Any]:
    """A managed policy. Lists show neither description nor tags, as on AWS."""
    counts = {
        member: _count(conn, account, policy.arn, usage)
        for member, usage in (
            ("AttachmentCount", "policy"),
            ("PermissionsBoundaryUsageCount", "boundary"),
        )
    }
    if isinstance(policy, AwsManagedPolicy):
        rendered: dict[str, Any] = {
            "PolicyName": policy.name,
            "PolicyId": policy.unique_id,
            "Arn": policy.arn,
            "Path": policy.path,
            "DefaultVersionId": "v1",
            "CreateDate": policy.created_at_s,
            "UpdateDate": policy.created_at_s,
        }
        more: dict[str, Any] = {"Description": policy.description, "Tags": []}
    else:
        rendered = {
            **head(policy),
            "DefaultVersionId": managed.default_version(conn, policy).version_id,
            "UpdateDate": policy.document["updated_at_s"],
        }
        more = {"Tags": [], **with_tags(policy)}
        if "description" in policy.document:
            more["Description"] = policy.document["description"]
    return {**rendered, **counts, "IsAttachable": True, **(more if detailed else {})}


def render_version(version: Version) -> dict[str, Any]:
    """A version with its document."""
    return {**_version_head(version), "Document": encoded(version.text)}


def _version_head(version: Version) -> dict[str, Any]:
    return {
        "VersionId": version.version_id,
        "IsDefaultVersion": version.is_default,
        "CreateDate": version.created_at_s,
    }


def _check_document(text: str) -> None:
    if policy_chars(text) > MANAGED_CHARS_MAX:
        raise errors.limit_exceeded("PolicySize", MANAGED_CHARS_MAX)
    check_policy(read_identity, text)


def _find_own(conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Entity:
    arn = params["PolicyArn"]
    if arn in AWS_MANAGED:
        raise errors.access_denied(f"Cannot perform the operation on AWS managed policy {arn}")
    return managed.find_own(conn, context.account, arn)


def _add_version(conn: Connection, policy: Entity, number: int, text: str, now_s: float) -> None:
    conn.execute(
        Q.insert_version,
        {
            "policy_id": policy.unique_id,
            "number": number,
            "created_at_s": now_s,
            "document": text,
        },
    )


def _set_default(conn: Connection, policy: Entity, number: int) -> None:
    conn.execute(Q.set_default_version, {"policy_id": policy.unique_id, "number": number})


def _count(conn: Connection, account: str, arn: str, usage: str) -> int:
    row = {"account": account, "policy_arn": arn, "usage": usage}
    found = conn.one(Q.count_attachments, row)
    assert found is not None
    return int(found["n"])


def _attached_arns(conn: Connection, account: str, usage: str | None) -> set[str]:
    usages = [_USAGES[usage]] if usage else ["policy"]
    return {
        row["policy_arn"]
        for each in usages
        for row in conn.all(Q.attached_arns, {"account": account, "usage": each})
    }


def _key(policy: Entity | AwsManagedPolicy) -> str:
    return f"{policy.name.lower()} {policy.arn}"


def _place(entity: Entity) -> str:
    return f"{entity.kind} {entity.name.lower()}"

"""Roles that belong to a service: as far as tools ask for them.

Nothing here assumes such a role. It can be made, shown and deleted, as tools expect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, records
from alonzo.services.iam.identities import Unit
from alonzo.services.iam.limits import SESSION_S_DEFAULT
from alonzo.services.iam.operations import IamOperations
from alonzo.services.iam.records import Kind
from alonzo.services.iam.roles import SERVICE_PATH, find_role, render
from alonzo.store.base import Connection

_SERVICE = re.compile(r"(?P<name>[a-z0-9-]+(?:\.[a-z0-9-]+)*)\.amazonaws\.com")
_TASK = re.compile(r"task" + re.escape(SERVICE_PATH) + r"[^/]+/(?P<role>[^/]+)/[0-9a-f-]{36}")
#: Names of roles that are not the service's name with a capital letter.
#: Source: service-linked role pages of the services.
_NAMES = {
    "autoscaling": "AutoScaling",
    "dynamodb.application-autoscaling": "ApplicationAutoScaling_DynamoDBTable",
    "ecs": "ECS",
    "eks": "EKS",
    "elasticache": "ElastiCache",
    "elasticloadbalancing": "ElasticLoadBalancing",
    "elasticfilesystem": "AmazonElasticFileSystem",
    "es": "AmazonElasticsearchService",
    "lambda.application-autoscaling": "ApplicationAutoScaling_LambdaConcurrency",
    "opensearchservice": "AmazonOpenSearchService",
    "ops.apigateway": "APIGateway",
    "rds": "RDS",
    "replicator.lambda": "LambdaReplicator",
}


class ServiceLinkedRoleOperations(IamOperations):
    """CreateServiceLinkedRole and its like."""

    async def create_service_linked_role(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreateServiceLinkedRole."""
        service = params["AWSServiceName"]
        if _SERVICE.fullmatch(service) is None:
            raise errors.invalid_input(
                f"Service role name {service} is not a valid AWS service principal."
            )
        name = role_name(service, params.get("CustomSuffix"))
        document: dict[str, Any] = {
            "trust": json.dumps(_trust(service)),
            "max_session_duration": SESSION_S_DEFAULT,
        }
        if params.get("Description") is not None:
            document["description"] = params["Description"]

        def work(unit: Unit) -> dict[str, Any]:
            if records.try_find(unit.conn, context.account, Kind.ROLE, name) is not None:
                raise errors.invalid_input(
                    f"Service role name {name} has been taken in this account, please try a "
                    "different suffix."
                )
            role = records.insert(
                unit.conn,
                ids=self._identities.ids,
                account=context.account,
                kind=Kind.ROLE,
                name=name,
                path=f"{SERVICE_PATH}{service}/",
                now_s=self._now_s(),
                document=document,
            )
            return {"Role": render(unit.conn, unit.touch(role))}

        return await self._identities.change(work)

    async def delete_service_linked_role(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DeleteServiceLinkedRole. It is done when this returns."""

        def work(unit: Unit) -> str:
            role = find_role(unit.conn, context, params)
            if not role.path.startswith(SERVICE_PATH):
                raise errors.no_such_entity(
                    f"The service linked role with name {role.name} cannot be found."
                )
            records.delete(unit.conn, unit.touch(role))
            return f"task{role.path}{role.name}/{self._identities.ids.uuid()}"

        return {"DeletionTaskId": await self._identities.change(work)}

    async def get_service_linked_role_deletion_status(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetServiceLinkedRoleDeletionStatus."""
        found = _TASK.fullmatch(params["DeletionTaskId"])
        if found is None:
            raise errors.no_such_entity("Deletion task not found")

        def work(conn: Connection) -> dict[str, Any]:
            there = records.try_find(conn, context.account, Kind.ROLE, found["role"])
            return {"Status": "SUCCEEDED" if there is None else "FAILED"}

        return await self._identities.read(work)


def role_name(service: str, suffix: str | None) -> str:
    """What the role of a service is called."""
    name = service.removesuffix(".amazonaws.com")
    word = _NAMES.get(name) or name.title().replace("-", "").replace(".", "")
    return f"AWSServiceRoleFor{word}" + (f"_{suffix}" if suffix else "")


def _trust(service: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
            }
        ],
    }

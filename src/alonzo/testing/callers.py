"""Users and sessions of a running platform, and clients that sign with their keys."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

import botocore.config
from click.testing import CliRunner

from alonzo.cli.main import main
from alonzo.testing.clients import make_client
from alonzo.testing.daemon import REGION, DaemonProcess

ACCOUNT = "000000000000"


def client_of(
    platform: DaemonProcess, service: str, key: Mapping[str, Any], region: str = REGION
) -> Any:
    """A client that signs with a key as CreateAccessKey or AssumeRole answers it."""
    return make_client(
        service,
        region,
        endpoint_url=platform.endpoint,
        config=botocore.config.Config(
            retries={"mode": "standard", "total_max_attempts": 1}, proxies={}, read_timeout=60
        ),
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key.get("SessionToken"),
    )


def root_of(platform: DaemonProcess, account: str) -> dict[str, str]:
    """A key of the root user of another account, which is made; an earlier one counts no more."""
    bare = {name: None for name in os.environ if name.startswith(("AWS_", "ALONZO_"))}
    arguments = ["accounts", "create", account, "--replace", f"--data-dir={platform.data_dir}"]
    printed = CliRunner().invoke(main, arguments, env=bare).stdout
    found = dict(line.split("=", 1) for line in printed.splitlines())
    return {
        "AccessKeyId": found["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": found["AWS_SECRET_ACCESS_KEY"],
    }


def document(*statements: Mapping[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def deny(*actions: str, on: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A statement that denies."""
    return {**allow(*actions, on=on, **more), "Effect": "Deny"}


def trust(principal: Any, **more: Any) -> str:
    """A trust policy that lets somebody in."""
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


class Household:
    """Makes users and roles, and takes all of them down again."""

    def __init__(self, platform: DaemonProcess) -> None:
        self._platform = platform
        self.iam = platform.client("iam")
        self._users: list[str] = []
        self._roles: list[str] = []

    def user(self, name: str, *statements: Mapping[str, Any]) -> dict[str, Any]:
        """A user with an inline policy; answers an access key."""
        self.iam.create_user(UserName=name)
        self._users.append(name)
        if statements:
            self.let_user(name, *statements)
        return self.iam.create_access_key(UserName=name)["AccessKey"]

    def let_user(self, name: str, *statements: Mapping[str, Any]) -> None:
        """Replace what a user may do."""
        self.iam.put_user_policy(
            UserName=name, PolicyName="own", PolicyDocument=document(*statements)
        )

    def role(self, name: str, trusted: str, *statements: Mapping[str, Any], **more: Any) -> str:
        """A role with an inline policy; answers its ARN."""
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted, **more)
        self._roles.append(name)
        if statements:
            self.let_role(name, *statements)
        return role["Role"]["Arn"]

    def let_role(self, name: str, *statements: Mapping[str, Any]) -> None:
        """Replace what a role may do."""
        self.iam.put_role_policy(
            RoleName=name, PolicyName="own", PolicyDocument=document(*statements)
        )

    def client(self, service: str, key: Mapping[str, Any], region: str = REGION) -> Any:
        """A client that signs with a key."""
        return client_of(self._platform, service, key, region)

    def close(self) -> None:
        """Delete everything that is still there."""
        for name in self._users:
            self._gone(self._delete_user, name)
        for name in self._roles:
            self._gone(self._delete_role, name)

    def _gone(self, delete: Any, name: str) -> None:
        with contextlib.suppress(self.iam.exceptions.NoSuchEntityException):
            delete(name)

    def _delete_user(self, name: str) -> None:
        iam, at = self.iam, {"UserName": name}
        for key in iam.list_access_keys(**at)["AccessKeyMetadata"]:
            iam.delete_access_key(AccessKeyId=key["AccessKeyId"], **at)
        for policy in iam.list_user_policies(**at)["PolicyNames"]:
            iam.delete_user_policy(PolicyName=policy, **at)
        for policy in iam.list_attached_user_policies(**at)["AttachedPolicies"]:
            iam.detach_user_policy(PolicyArn=policy["PolicyArn"], **at)
        for group in iam.list_groups_for_user(**at)["Groups"]:
            iam.remove_user_from_group(GroupName=group["GroupName"], **at)
        iam.delete_user(**at)

    def _delete_role(self, name: str) -> None:
        iam, at = self.iam, {"RoleName": name}
        for policy in iam.list_role_policies(**at)["PolicyNames"]:
            iam.delete_role_policy(PolicyName=policy, **at)
        for policy in iam.list_attached_role_policies(**at)["AttachedPolicies"]:
            iam.detach_role_policy(PolicyArn=policy["PolicyArn"], **at)
        iam.delete_role(**at)

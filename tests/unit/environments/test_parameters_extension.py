"""What the Parameters and Secrets extension keeps, for how long, and what it makes of requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.environments.parameters_extension import CACHE_BYTES_MAX, ParametersExtension
from alonzo.environments.parameters_rules import (
    BadQueryError,
    port_of,
    read_question,
    read_settings,
    rendered,
)
from alonzo.environments.runtime_connection import Connection
from alonzo.lib.clock import ManualClock
from alonzo.model.deliveries import RoleUse, ServiceCall
from alonzo.testing.environments import VERSION

SECRET = b"/secretsmanager/get"
PARAMETER = b"/systemsmanager/parameters/get"
PREFIX = "PARAMETERS_SECRETS_EXTENSION_"


class Asked:
    """A connection with one request, and the answer to it."""

    def __init__(self, **headers: str) -> None:
        self.headers = headers
        self.answered = asyncio.Event()
        self.status = 0
        self.document: Any = None

    def header(self, name: str) -> str | None:
        return self.headers.get(name.replace("-", "_"))

    def answer(self, status: int, body: bytes) -> bool:
        self.status, self.document = status, json.loads(body)
        self.answered.set()
        return True

    def refuse(self, status: int, error_type: str, message: str) -> None:
        self.answer(status, json.dumps({"errorType": error_type}).encode())


class Rig:
    """An extension whose services answer with how often they were asked."""

    def __init__(self, size: int = 1, **variables: str) -> None:
        self.size = size
        self.made = 0
        self.calls = self
        self.clock = ManualClock()
        self.ids = self
        version = replace(VERSION, parameters_extension=True, environment=variables)
        # The parts that it uses of its surroundings are this rig.
        self.extension = ParametersExtension(version, self)  # pyright: ignore[reportArgumentType] - as said
        self.extension._token = "token"  # pyright: ignore[reportPrivateUsage] - what open() reads

    @property
    def scope(self) -> Rig:
        return self

    def spawn(self, work: Any, *, name: str) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work, name=name)

    def uuid(self) -> str:
        return "u"

    async def call(self, call: ServiceCall, use: RoleUse) -> Mapping[str, Any]:
        assert use.role_arn == VERSION.role
        self.made += 1
        return {"SecretString": str(self.made).ljust(self.size)}

    async def ask(self, query: bytes, **headers: str) -> Asked:
        asked = Asked(**({"x_aws_parameters_secrets_token": "token"} | headers))
        route = self.extension.route(b"GET", SECRET + b"?" + query)
        # It has what the extension uses of a connection.
        connection: Connection = asked  # pyright: ignore[reportAssignmentType] - as said
        route.run(connection)
        await asked.answered.wait()
        return asked


def answers(rig: Rig, *queries: bytes) -> list[str]:
    async def main() -> list[str]:
        return [(await rig.ask(query)).document["SecretString"].strip() for query in queries]

    return asyncio.run(main())


A, B = b"secretId=a", b"secretId=b"


def test_an_answer_is_kept_for_its_time_and_not_longer() -> None:
    async def main() -> None:
        rig = Rig(SECRETS_MANAGER_TTL="10")
        for after_s, made in ((0, 1), (9, 1), (1, 2), (0, 2)):
            rig.clock.advance(after_s)
            assert (await rig.ask(A)).document["SecretString"] == str(made)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ["1", "1", "2", "1"]),
        ({f"{PREFIX}CACHE_SIZE": "1"}, ["1", "1", "2", "3"]),
        ({f"{PREFIX}CACHE_SIZE": "0"}, ["1", "2", "3", "4"]),
        ({f"{PREFIX}CACHE_ENABLED": "FALSE"}, ["1", "2", "3", "4"]),
        ({"SECRETS_MANAGER_TTL": "0"}, ["1", "2", "3", "4"]),
        ({"SSM_PARAMETER_STORE_TTL": "0"}, ["1", "1", "2", "1"]),
        ({"SECRETS_MANAGER_TTL": "301"}, ["1", "1", "2", "1"]),
    ],
)
def test_settings_say_what_is_kept(variables: dict[str, str], expected: list[str]) -> None:
    assert answers(Rig(1, **variables), A, A, B, A) == expected


def test_large_answers_push_each_other_out() -> None:
    rig = Rig(size=CACHE_BYTES_MAX // 2)
    assert answers(rig, A, A, B, A) == ["1", "1", "2", "3"]


def test_a_fresh_answer_takes_the_place_of_the_one_that_was_kept() -> None:
    assert answers(Rig(), A, A + b"&refreshNow=true", A) == ["1", "2", "2"]


def test_a_forwarded_request_is_refused_and_so_is_one_without_the_token() -> None:
    async def main() -> None:
        rig = Rig()
        assert (await rig.ask(A, x_forwarded_for="10.0.0.1")).status == 400
        for token in ("", "tokem", "token2"):
            assert (await rig.ask(A, x_aws_parameters_secrets_token=token)).status == 401
        assert (
            await rig.ask(A, x_aws_parameters_secrets_token="", x_vault_token="token")
        ).status == 200
        assert rig.made == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("query", "params"),
    [
        (b"name=%2Fa%2Fb", {"Name": "/a/b"}),
        (b"name=a&version=3", {"Name": "a:3"}),
        (b"name=a&label=new", {"Name": "a:new"}),
        (b"name=a&withDecryption=True", {"Name": "a", "WithDecryption": True}),
        (b"name=a&withDecryption=false", {"Name": "a"}),
    ],
)
def test_queries_are_calls_of_the_service(query: bytes, params: dict[str, Any]) -> None:
    question = read_question(PARAMETER, query)
    assert question.call == ServiceCall("ssm", "GetParameter", params)


@given(st.binary(max_size=300), st.sampled_from([SECRET, PARAMETER]))
def test_any_query_is_read_or_refused(query: bytes, path: bytes) -> None:
    try:
        question = read_question(path, query)
    except BadQueryError:
        return
    assert {"SecretId", "Name"} & question.call.params.keys()


@given(st.dictionaries(st.sampled_from([f"{PREFIX}HTTP_PORT", f"{PREFIX}CACHE_SIZE"]), st.text()))
def test_any_settings_are_read(variables: dict[str, str]) -> None:
    version = replace(VERSION, parameters_extension=True, environment=variables)
    port = port_of(version)
    assert port is not None
    assert 1024 <= port < 65536
    assert 0 <= read_settings(variables).cache_size <= 1000
    assert port_of(VERSION) is None


def test_dates_and_bytes_are_texts() -> None:
    document = json.loads(
        rendered("GetSecretValue", {"SecretBinary": b"\x00\xff", "CreatedDate": 1_700_000_000.5})
    )
    assert document["SecretBinary"] == "AP8="
    assert document["CreatedDate"] == "2023-11-14T22:13:20.500000Z"
    assert document["SecretString"] is None

"""What the data plane knows of function URLs: never less, and never longer, than the store."""

import asyncio

from alonzo.invoke import function_urls
from alonzo.invoke.function_urls import FunctionUrlDirectory
from alonzo.model.arns import FunctionKey
from alonzo.testing.control import ACCOUNT, REGION, open_control

KEY = FunctionKey(ACCOUNT, REGION, "f")


async def made(rig, **params):
    answer = await rig.call(
        "CreateFunctionUrlConfig", **{"FunctionName": "f", "AuthType": "NONE", **params}
    )
    return answer["FunctionUrl"].rstrip("/").rpartition("/")[2]


class Counting:
    """A store that counts what is read."""

    def __init__(self, store):
        self._store = store
        self.reads = 0
        self.subscribe = store.subscribe

    async def read(self, work):
        self.reads += 1
        return await self._store.read(work)


def test_a_url_is_read_once_and_again_after_each_change_that_concerns_it(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            await rig.create_active("g")
            store = Counting(rig.store)
            urls = FunctionUrlDirectory(store)
            url_id = await made(rig)
            first = await urls.find(url_id)
            assert (first.key, first.alias, first.auth_type, first.policy) == (
                KEY, None, "NONE", None,
            )  # fmt: skip
            assert await urls.find(url_id) is first
            assert store.reads == 1
            await rig.call("TagResource", Resource=FunctionKey(ACCOUNT, REGION, "g").arn,
                           Tags={"a": "1"})  # fmt: skip
            assert await urls.find(url_id) is first
            permission = {
                "FunctionName": "f",
                "StatementId": "s",
                "Action": "lambda:InvokeFunctionUrl",
                "Principal": "*",
            }
            await rig.call("AddPermission", **permission)
            allowed = await urls.find(url_id)
            assert "lambda:InvokeFunctionUrl" in allowed.policy
            await rig.call("UpdateFunctionUrlConfig", FunctionName="f", Cors={"MaxAge": 1})
            assert (await urls.find(url_id)).cors == {"MaxAge": 1}
            await rig.call("RemovePermission", FunctionName="f", StatementId="s")
            assert (await urls.find(url_id)).policy is None
            await rig.call("DeleteFunctionUrlConfig", FunctionName="f")
            assert await urls.find(url_id) is None
            urls.close()

    asyncio.run(main())


def test_the_policy_of_an_alias_is_that_of_its_url(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            await rig.call("PublishVersion", FunctionName="f")
            await rig.call("CreateAlias", FunctionName="f", Name="a", FunctionVersion="1")
            urls = FunctionUrlDirectory(rig.store)
            own, alias = await made(rig), await made(rig, Qualifier="a")
            await rig.call(
                "AddPermission",
                FunctionName="f",
                Qualifier="a",
                StatementId="s",
                Action="lambda:*",
                Principal="*",
            )
            assert (await urls.find(own)).policy is None
            assert (await urls.find(alias)).policy is not None
            assert (await urls.find(alias)).arn == KEY.qualified("a")
            await rig.call("DeleteAlias", FunctionName="f", Name="a")
            assert await urls.find(alias) is None
            assert await urls.find(own) is not None
            await rig.call("DeleteFunction", FunctionName="f")
            assert await urls.find(own) is None
            urls.close()

    asyncio.run(main())


def test_what_is_no_id_is_never_looked_for(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            store = Counting(rig.store)
            urls = FunctionUrlDirectory(store)
            for text in ("", "a" * 31, "a" * 33, "A" * 32, "%" * 32, "é" * 32, "a" * 31 + "\n"):
                assert await urls.find(text) is None
            assert store.reads == 0
            assert await urls.find("a" * 32) is None
            assert store.reads == 1
            urls.close()

    asyncio.run(main())


def test_memory_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(function_urls, "KNOWN_MAX", 3)

    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            await rig.call("PublishVersion", FunctionName="f")
            store = Counting(rig.store)
            urls = FunctionUrlDirectory(store)
            ids = []
            for number in range(5):
                alias = f"a{number}"
                await rig.call("CreateAlias", FunctionName="f", Name=alias, FunctionVersion="1")
                ids.append(await made(rig, Qualifier=alias))
            for url_id in ids:
                assert (await urls.find(url_id)).id == url_id
            before = store.reads
            for url_id in ids[2:]:
                await urls.find(url_id)
            assert store.reads == before
            await urls.find(ids[0])
            assert store.reads == before + 1
            urls.close()

    asyncio.run(main())


def test_a_read_that_a_change_overtakes_is_not_kept(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            url_id = await made(rig)

            class Slow(Counting):
                async def read(self, work):
                    found = await super().read(work)
                    if self.reads == 1:
                        await rig.call(
                            "UpdateFunctionUrlConfig", FunctionName="f", AuthType="AWS_IAM"
                        )
                    return found

            urls = FunctionUrlDirectory(Slow(rig.store))
            assert (await urls.find(url_id)).auth_type == "NONE"
            assert (await urls.find(url_id)).auth_type == "AWS_IAM"
            urls.close()

    asyncio.run(main())

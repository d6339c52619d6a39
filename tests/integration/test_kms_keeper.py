"""What happens to keys when time passes, over a real store."""

import asyncio
from types import SimpleNamespace

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.kms import api
from alonzo.services.kms.keeper import Keeper
from alonzo.services.kms.limits import DAY_S
from alonzo.services.kms.use import KeyUse
from alonzo.services.kms.vault import Vault
from alonzo.store.sqlite import SqliteStore

ACCOUNT = "123456789012"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
CONTEXT = RequestContext("r", ACCOUNT, "eu-west-1", ROOT, "http://localhost", "127.0.0.1")


@pytest.fixture
def kms(tmp_path):
    clock, ids = ManualClock(), SystemIds()
    runner = asyncio.Runner()
    store = runner.run(SqliteStore.open(tmp_path / "a.db", clock=clock))

    def opened(secret=b"s" * 32):
        vault = Vault(store, secret, clock=clock, ids=ids)
        runner.run(vault.open())
        operations = api.operations(KeyUse(vault))
        return SimpleNamespace(
            call=lambda name, **params: runner.run(operations[name](CONTEXT, params)),
            tidy=lambda: runner.run(Keeper(vault).tidy()),
            find=lambda arn: runner.run(vault.find(arn)),
            advance=clock.advance,
            again=opened,
        )

    yield opened()
    runner.run(store.close())
    runner.close()


def code_of(call, *args, **params):
    with pytest.raises(AwsError) as caught:
        call(*args, **params)
    return caught.value.code


def test_a_key_is_gone_with_its_aliases_when_its_time_has_come(kms):
    key = kms.call("CreateKey")["KeyMetadata"]["Arn"]
    kms.call("CreateAlias", AliasName="alias/a", TargetKeyId=key)
    blob = kms.call("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.call("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    kms.advance(7 * DAY_S - 1)
    kms.tidy()
    kms.call("DescribeKey", KeyId=key)
    kms.advance(2)
    kms.tidy()
    for now in (kms, kms.again()):
        assert code_of(now.call, "DescribeKey", KeyId=key) == "NotFoundException"
        assert code_of(now.call, "DescribeKey", KeyId="alias/a") == "NotFoundException"
        assert code_of(now.call, "Decrypt", CiphertextBlob=blob) == "NotFoundException"
        assert now.find(key) is None


def test_a_cancelled_deletion_does_not_happen(kms):
    key = kms.call("CreateKey")["KeyMetadata"]["Arn"]
    kms.call("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    kms.call("CancelKeyDeletion", KeyId=key)
    kms.advance(8 * DAY_S)
    kms.tidy()
    assert kms.call("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


def test_a_key_rotates_by_itself_once_a_period(kms):
    key = kms.call("CreateKey")["KeyMetadata"]["Arn"]
    blob = kms.call("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    for _ in range(2):
        kms.tidy()
    assert kms.call("ListKeyRotations", KeyId=key)["Rotations"] == []
    kms.advance(91 * DAY_S)
    for _ in range(3):
        kms.tidy()
    rotations = kms.call("ListKeyRotations", KeyId=key)["Rotations"]
    assert [each["RotationType"] for each in rotations] == ["AUTOMATIC"]
    kms.advance(1000 * DAY_S)
    for _ in range(3):
        kms.tidy()
    assert len(kms.call("ListKeyRotations", KeyId=key)["Rotations"]) == 2
    assert kms.again().call("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"x"


def test_rotations_on_demand_come_to_an_end(kms):
    key = kms.call("CreateKey")["KeyMetadata"]["Arn"]
    for _ in range(25):
        kms.call("RotateKeyOnDemand", KeyId=key)
    assert code_of(kms.call, "RotateKeyOnDemand", KeyId=key) == "LimitExceededException"


def test_a_copy_of_the_store_without_the_secret_opens_nothing(kms, tmp_path):
    key = kms.call("CreateKey")["KeyMetadata"]["Arn"]
    blob = kms.call("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    with pytest.raises(Exception, match="cannot be opened"):
        kms.again(b"t" * 32).call("Decrypt", CiphertextBlob=blob)

"""What KMS refuses of a sealed package is told in Lambda's words, and becomes a reason."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from alonzo.control.code_keys import REASON_CODES, SealedPackages
from alonzo.control.records import Code
from alonzo.lib.ids import SystemIds
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import Sealed
from alonzo.store.blobs import BlobStore
from alonzo.testing.clients import botocore_session

KEY = FunctionKey("000000000000", "us-east-1", "f")
CALLER = RequestContext("", KEY.account, KEY.region, Principal(KEY.account, "me", "", ""), "", "")
ASKED = {"SourceKMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"}
PLAIN = b"PK a package"
CODE = Code(hashlib.sha256(PLAIN).hexdigest(), len(PLAIN), 40)


class Keys:
    """An ``Encryption`` that hides nothing, and refuses with ``refusal``."""

    refusal: AwsError | None = None

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str]]] = []

    async def seal(
        self, context: Any, key_id: str, plaintext: bytes, encryption_context: Any, **_: Any
    ) -> Any:
        self.calls.append(("seal", context.principal.arn, encryption_context))
        return Sealed(key_id, b"sealed " + plaintext)

    async def open(self, context: Any, sealed: bytes, encryption_context: Any, **_: Any) -> bytes:
        self.calls.append(("open", context.principal.arn, encryption_context))
        if self.refusal is not None:
            raise self.refusal
        return sealed.removeprefix(b"sealed ")


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", b"b" * 32)


async def kept(packages: SealedPackages, blobs: BlobStore) -> str:
    intake = await packages.seal(CALLER, KEY, ASKED, PLAIN, CODE)
    assert (intake.code.zipped_bytes, intake.code.unzipped_bytes) == (len(PLAIN), 40)
    assert PLAIN not in intake.data
    assert (await blobs.put(intake.data)).sha256 == intake.code.sha256
    return intake.code.sha256


def test_the_caller_is_asked_and_lambda_seals_and_opens_for_the_function(blobs: BlobStore) -> None:
    async def play() -> None:
        packages, keys = SealedPackages(blobs, b"s" * 32, SystemIds()), Keys()
        packages.connect(keys)
        assert await packages.read(await kept(packages, blobs)) == PLAIN
        bound = {"aws:lambda:FunctionArn": KEY.arn}
        lambdas = "lambda.amazonaws.com"
        assert keys.calls == [
            ("seal", "me", bound),
            ("seal", lambdas, bound),
            ("open", lambdas, bound),
        ]

    asyncio.run(play())


@pytest.mark.parametrize(
    ("of_kms", "reason"),
    [
        ("AccessDeniedException", "KMSKeyAccessDenied"),
        ("DisabledException", "DisabledKMSKey"),
        ("KMSInvalidStateException", "InvalidStateKMSKey"),
        ("NotFoundException", "KMSKeyNotFound"),
        ("InvalidCiphertextException", "KMSKeyAccessDenied"),
    ],
)
def test_a_refusal_of_kms_is_one_that_lambda_knows(
    blobs: BlobStore, of_kms: str, reason: str
) -> None:
    async def play() -> None:
        packages, keys = SealedPackages(blobs, b"s" * 32, SystemIds()), Keys()
        packages.connect(keys)
        sha256 = await kept(packages, blobs)
        keys.refusal = AwsError(of_kms, "no")
        with pytest.raises(AwsError) as caught:
            await packages.read(sha256)
        assert REASON_CODES[caught.value.code] == reason
        assert caught.value.message.endswith(f"KMS Exception: {of_kms} KMS Message: no")

    asyncio.run(play())
    model: Any = botocore_session().get_service_model("lambda")
    assert reason in model.shape_for("StateReasonCode").enum


def test_nobody_can_upload_what_is_opened_for_them(blobs: BlobStore) -> None:
    """Somebody else's sealed package, with a front that names whom they like."""

    async def play() -> None:
        packages, keys = SealedPackages(blobs, b"s" * 32, SystemIds()), Keys()
        packages.connect(keys)
        forger = SealedPackages(blobs, b"f" * 32, SystemIds())
        forger.connect(keys)
        forged = await kept(forger, blobs)
        keys.calls.clear()
        assert await packages.read(forged) == await blobs.read(forged)
        assert keys.calls == []

    asyncio.run(play())


def test_where_there_is_no_kms_a_key_is_refused(blobs: BlobStore) -> None:
    packages = SealedPackages(blobs, b"s" * 32, SystemIds())
    with pytest.raises(AwsError, match="There is no KMS here"):
        asyncio.run(packages.seal(CALLER, KEY, ASKED, PLAIN, CODE))

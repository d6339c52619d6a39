"""The form of sealed packages: nothing opens that was bent, and nobody else can make one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.control.code_seal import CodeSealError, parse, seal, unseal
from alonzo.model.arns import FunctionKey

SECRET = b"s" * 32
KEY = FunctionKey("000000000000", "us-east-1", "f")
DATA_KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def sealed(data: bytes, secret: bytes = SECRET) -> bytes:
    return seal(secret, KEY, (DATA_KEY, b"what KMS made of it"), b"n" * 12, data)


@given(st.binary(max_size=300))
def test_what_was_sealed_opens_again_and_says_whose_it_is(data: bytes) -> None:
    package = sealed(data)
    found = parse(SECRET, package)
    assert found is not None
    assert (found.function, found.data_key) == (KEY, b"what KMS made of it")
    assert unseal(found, DATA_KEY, package) == data


def test_no_byte_of_it_can_be_changed_or_left_out() -> None:
    package = sealed(b"a package")
    for place in range(len(package)):
        bent = package[:place] + bytes([package[place] ^ 1]) + package[place + 1 :]
        found = parse(SECRET, bent)
        if found is not None:
            with pytest.raises(CodeSealError):
                unseal(found, DATA_KEY, bent)
    for length in range(len(package)):
        found = parse(SECRET, package[:length])
        if found is not None:
            with pytest.raises(CodeSealError):
                unseal(found, DATA_KEY, package[:length])


def test_another_data_key_opens_nothing() -> None:
    package = sealed(b"a package")
    found = parse(SECRET, package)
    assert found is not None
    with pytest.raises(CodeSealError):
        unseal(found, OTHER_KEY, package)


@pytest.mark.parametrize("package", [b"", b"PK\x03\x04", sealed(b"made elsewhere", b"t" * 32)])
def test_what_was_not_sealed_here_is_a_package_like_any_other(package: bytes) -> None:
    assert parse(SECRET, package) is None

"""Ciphertexts: what went in comes out, with the same key and the same context, and never else."""

from types import SimpleNamespace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from alonzo.lib.ids import SystemIds
from alonzo.services.kms import sealing
from alonzo.services.kms.sealing import MaterialSafe, Origin, SealError

IDS = SystemIds()
ORIGIN = Origin("01234567-89ab-4def-8123-456789abcdef", 3)
MATERIAL = b"m" * 32
TEXTS = st.text(max_size=8)
CONTEXTS = st.dictionaries(TEXTS, TEXTS, max_size=4)


@given(st.binary(max_size=200), CONTEXTS)
def test_a_ciphertext_opens_to_its_plaintext(plaintext, context):
    sealed = sealing.encrypt(MATERIAL, ORIGIN, plaintext, context, IDS)
    assert sealing.origin_of(sealed) == ORIGIN
    assert sealing.decrypt(MATERIAL, sealed, dict(reversed(context.items()))) == plaintext


@given(CONTEXTS, CONTEXTS)
def test_no_other_context_opens_it(context, other):
    assume(context != other)
    sealed = sealing.encrypt(MATERIAL, ORIGIN, b"x", context, IDS)
    with pytest.raises(SealError):
        sealing.decrypt(MATERIAL, sealed, other)
    assert sealing.canonical(context) != sealing.canonical(other)


@given(st.binary(max_size=60), st.data())
def test_a_changed_ciphertext_does_not_open(plaintext, data):
    sealed = bytearray(sealing.encrypt(MATERIAL, ORIGIN, plaintext, {"a": "b"}, IDS))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealError):
        sealing.decrypt(MATERIAL, bytes(sealed), {"a": "b"})


@given(st.binary(max_size=60), st.integers(min_value=0))
def test_a_cut_ciphertext_does_not_open(plaintext, length):
    sealed = sealing.encrypt(MATERIAL, ORIGIN, plaintext, {}, IDS)
    with pytest.raises(SealError):
        sealing.decrypt(MATERIAL, sealed[: length % len(sealed)], {})


@given(st.binary(max_size=300))
def test_any_bytes_are_a_ciphertext_or_a_named_error(blob):
    try:
        origin = sealing.origin_of(blob)
    except SealError:
        return
    assert len(origin.key_id) == 36
    with pytest.raises(SealError):
        sealing.decrypt(MATERIAL, blob, {})


@given(st.binary(max_size=200), st.data())
def test_wrapped_data_opens_with_its_key_and_unchanged_only(plaintext, data):
    wrapped = sealing.wrap(b"k" * 32, b"blob", plaintext, IDS)
    assert sealing.wrapped_key(wrapped) == b"blob"
    assert sealing.unwrap(b"k" * 32, wrapped) == plaintext
    with pytest.raises(SealError):
        sealing.unwrap(b"l" * 32, wrapped)
    changed = bytearray(wrapped)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1
    with pytest.raises(SealError):
        sealing.unwrap(b"k" * 32, bytes(changed))


def test_material_opens_for_its_own_key_and_number_only():
    safe = MaterialSafe(b"s" * 32, IDS)
    sealed, _ = safe.make(ORIGIN)
    assert len(safe.open(sealed, ORIGIN)) == 32
    for other in (Origin(ORIGIN.key_id, 4), Origin(ORIGIN.key_id.replace("0", "1"), 3)):
        with pytest.raises(SealError):
            safe.open(sealed, other)
    with pytest.raises(SealError):
        MaterialSafe(b"t" * 32, IDS).open(sealed, ORIGIN)


def test_the_same_plaintext_never_looks_the_same():
    ids = SimpleNamespace(hex=IDS.hex)
    sealed = {sealing.encrypt(MATERIAL, ORIGIN, b"x", {}, ids) for _ in range(50)}
    assert len(sealed) == 50

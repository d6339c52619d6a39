"""Whatever bytes arrive, a package is taken or refused by name; what is taken unpacks inside."""

from __future__ import annotations

import io
import os
import tempfile
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.lib.zips import ZipError, extract, inspect

LIMITS = {"unzipped_bytes_max": 100_000, "entries_max": 50}

names = st.text("ab./é\\\0:-", min_size=1, max_size=12)
contents = st.one_of(
    st.binary(max_size=40), st.sampled_from([b"..", b"/", b"a/../..", b"a", b"b/a"])
)
modes = st.sampled_from([0o100644, 0o100755, 0o120777, 0o040755, 0o010644, 0])


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w") as archive:
        for name, content, mode in draw(st.lists(st.tuples(names, contents, modes), max_size=6)):
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.create_system = 3
            info.external_attr = mode << 16
            info.compress_type = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
            archive.writestr(info, content)
    return out.getvalue()


def damaged(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for at, value in changes:
        changed[at % len(changed)] = value
    return bytes(changed)


def check(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outer = Path(folder)
        inner = outer / "tree"
        inner.mkdir()
        refusals: list[ZipError] = []
        try:
            facts = inspect(data, **LIMITS)
        except ZipError as error:
            refusals.append(error)
        if refusals:
            with pytest.raises(ZipError) as again:
                extract(data, inner, **LIMITS)
            assert again.value.text == refusals[0].text
            assert list(inner.iterdir()) == []
        else:
            assert extract(data, inner, **LIMITS) == facts
            for path in inner.rglob("*"):
                real = Path(os.path.realpath(path))
                assert real == inner or inner in real.parents
        assert list(outer.iterdir()) == [inner]


@given(archives())
def test_archives_of_odd_names_unpack_inside_or_not_at_all(data: bytes) -> None:
    check(data)


@given(archives(), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=4))
def test_damaged_archives_are_refused_by_name(data: bytes, changes: list[tuple[int, int]]) -> None:
    check(damaged(data, changes))


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_taken_or_refused_by_name(data: bytes, with_end: bool) -> None:
    check(data + (b"PK\5\6" + data[:18].ljust(18, b"\0") if with_end else b""))

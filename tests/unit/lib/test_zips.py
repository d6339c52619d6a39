"""Packages of people who mean it: each attack by hand, and the honest forms that must pass."""

from __future__ import annotations

import io
import os
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from alonzo.lib import zips
from alonzo.lib.zips import PackageFacts, ZipError, ZipFault, extract, inspect

FILE = stat.S_IFREG | 0o644
LINK = stat.S_IFLNK | 0o777
UNIX = 3


@dataclass
class Entry:
    """One entry, every field of which may lie."""

    name: bytes
    content: bytes = b""
    mode: int = FILE
    method: int = 8
    flags: int = 0
    maker: int = UNIX
    attributes: int = 0
    local_name: bytes | None = None
    crc: int | None = None
    size: int | None = None
    packed: bytes | None = None
    packed_bytes: int | None = None
    extra: bytes = b""
    offset: int | None = None


def deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(content) + stream.flush()


def build(*entries: Entry, prefix: bytes = b"", comment: bytes = b"") -> bytes:
    out = bytearray(prefix)
    directory = bytearray()
    for entry in entries:
        packed = entry.packed
        if packed is None:
            packed = deflate(entry.content) if entry.method == 8 else entry.content
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        size = len(entry.content) if entry.size is None else entry.size
        packed_bytes = len(packed) if entry.packed_bytes is None else entry.packed_bytes
        local_name = entry.name if entry.local_name is None else entry.local_name
        offset = len(out) - len(prefix) if entry.offset is None else entry.offset
        numbers = (entry.flags, entry.method, 0x5000, 0x5D74, crc, packed_bytes, size)
        out += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *numbers, len(local_name), 0)
        out += local_name + packed
        directory += struct.pack(
            "<4s2B5H3L5H2L",
            b"PK\1\2",
            20,
            entry.maker,
            20,
            *numbers,
            len(entry.name),
            len(entry.extra),
            0,
            0,
            0,
            entry.mode << 16 | entry.attributes,
            offset,
        )
        directory += entry.name + entry.extra
    end = struct.pack(
        "<4s4H2LH",
        b"PK\5\6",
        0,
        0,
        len(entries),
        len(entries),
        len(directory),
        len(out) - len(prefix),
        len(comment),
    )
    return bytes(out + directory + end + comment)


def look(data: bytes, *, size: int = 1_000_000, entries: int = 1000) -> PackageFacts:
    return inspect(data, unzipped_bytes_max=size, entries_max=entries)


def unpack(data: bytes, folder: Path) -> PackageFacts:
    return extract(data, folder, unzipped_bytes_max=1_000_000, entries_max=1000)


def fault(data: bytes, **limits: int) -> ZipError:
    with pytest.raises(ZipError) as caught:
        look(data, **limits)
    return caught.value


def link(name: bytes, target: str) -> Entry:
    return Entry(name, target.encode(), mode=LINK)


A = Entry(b"a", b"content of a" * 10)

UNSAFE = {
    "absolute path": (Entry(b"/etc/passwd"),),
    "drive letter": (Entry(b"C:/x"),),
    "drive letter without a slash": (Entry(b"c:x"),),
    "parent": (Entry(b"../x"),),
    "parent in the middle": (Entry(b"a/../../x"),),
    "parent that stays inside": (Entry(b"a/../x"),),
    "parent at the end": (Entry(b"a/.."),),
    "backslash": (Entry(b"a\\..\\x"),),
    "NUL": (Entry(b"a\0b"),),
    "no name": (Entry(b""),),
    "dot as a file": (Entry(b"."),),
    "name that claims to be UTF-8": (Entry(b"\xff\xfe", flags=0x800),),
    "component too long": (Entry(b"x" * 256),),
    "path too long": (Entry(b"/".join([b"x" * 200] * 16)),),
    "path too deep": (Entry(b"/".join([b"x"] * 129)),),
    "same file twice": (A, A),
    "same path by another spelling": (A, Entry(b"./a")),
    "file and folder": (A, Entry(b"a/")),
    "file and implied folder": (A, Entry(b"a/b")),
    "implied folder and file": (Entry(b"a/b"), A),
    "encrypted": (Entry(b"a", flags=0x1),),
    "strongly encrypted": (Entry(b"a", flags=0x41),),
    "bzip2": (Entry(b"a", method=12),),
    "lzma": (Entry(b"a", method=14),),
    "device": (Entry(b"a", mode=stat.S_IFCHR | 0o666),),
    "block device": (Entry(b"a", mode=stat.S_IFBLK | 0o666),),
    "pipe": (Entry(b"a", mode=stat.S_IFIFO | 0o666),),
    "socket": (Entry(b"a", mode=stat.S_IFSOCK | 0o666),),
    "absolute link": (link(b"l", "/etc/passwd"),),
    "link to the parent": (link(b"l", ".."),),
    "link through a folder": (Entry(b"d/"), link(b"d/l", "../../x")),
    "link that leaves and returns": (link(b"l", "../here/a"),),
    "link through a link": (Entry(b"d/e/"), link(b"d/up", ".."), link(b"l", "d/up/../x")),
    "links in a circle": (link(b"l", "m"), link(b"m", "l")),
    "link to itself": (link(b"l", "l"),),
    "link that grows": (link(b"l", "l/x"),),
    "empty link": (link(b"l", ""),),
    "link with NUL": (link(b"l", "a\0b"),),
    "link that is no text": (Entry(b"l", b"\xff", mode=LINK),),
    "link too long": (link(b"l", "x/" * 2000),),
    "file below a link": (link(b"d", "e"), Entry(b"d/x")),
    "link below a link": (link(b"d", "e"), link(b"d/x", "y")),
    "folder below a link": (link(b"d", "e"), Entry(b"d/x/")),
    "folder and link": (Entry(b"d/"), link(b"d", "e")),
}


@pytest.mark.parametrize("entries", UNSAFE.values(), ids=UNSAFE.keys())
def test_an_attack_is_refused_and_leaves_nothing(
    entries: tuple[Entry, ...], tmp_path: Path
) -> None:
    data = build(Entry(b"first", b"1"), *entries)
    assert fault(data).fault is ZipFault.UNSAFE
    with pytest.raises(ZipError):
        unpack(data, tmp_path)
    assert list(tmp_path.iterdir()) == []


DAMAGED = {
    "no zip": b"hello" * 100,
    "cut off": build(A)[:-30],
    "end alone, lying": struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 46, 0, 0),
    "split": struct.pack("<4s4H2LH", b"PK\5\6", 1, 0, 0, 0, 0, 0, 0),
    "wrong CRC": build(Entry(b"a", b"x", crc=1)),
    "wrong CRC, stored": build(Entry(b"a", b"x", method=0, crc=1)),
    "larger than declared": build(Entry(b"a", b"x" * 100, size=10)),
    "smaller than declared": build(Entry(b"a", b"x" * 10, size=100)),
    "no deflate stream": build(Entry(b"a", b"xyz", packed=b"\xff\xff\xff\xff")),
    "deflate stream cut off": build(Entry(b"a", b"x" * 100, packed=deflate(b"x" * 100)[:-2])),
    "more after the deflate stream": build(Entry(b"a", b"x", packed=deflate(b"x") + b"junk")),
    "stored sizes differ": build(Entry(b"a", b"xyz", method=0, size=2)),
    "other name in the header": build(Entry(b"a", b"x", local_name=b"b")),
    "no header at the offset": build(Entry(b"a", b"x", offset=3)),
    "header past the end": build(Entry(b"a", b"x", offset=0xFFFFFF)),
    "folder with content": build(Entry(b"a/", b"x")),
    "zip64 without its field": build(Entry(b"a", b"x", size=0xFFFFFFFF)),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_unreadable(data: bytes, tmp_path: Path) -> None:
    assert fault(data).fault is ZipFault.UNREADABLE
    with pytest.raises(ZipError):
        unpack(data, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_entries_that_share_bytes_are_refused() -> None:
    twin = Entry(b"a", b"x" * 100, offset=0)
    assert fault(build(A, twin, Entry(b"b", b"y", offset=0))).fault is ZipFault.UNSAFE


def test_a_quine_bomb_of_nested_headers_is_refused() -> None:
    inner = build(Entry(b"b", b"y" * 50, method=0))
    data = build(Entry(b"a", inner, method=0), Entry(b"b", b"y" * 50, method=0, offset=31))
    assert fault(data).fault is ZipFault.UNSAFE


def test_an_entry_may_not_reach_into_the_directory() -> None:
    assert fault(build(Entry(b"a", b"x", packed_bytes=500))).fault is ZipFault.UNSAFE


def test_a_bomb_is_stopped_by_its_declared_size_before_it_is_inflated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zips, "_content", None)
    bomb = build(Entry(b"a", bytes(20_000_000)))
    assert fault(bomb, size=1_000_000).fault is ZipFault.TOO_LARGE


def test_a_bomb_that_lies_about_its_size_is_stopped_while_inflating(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces: list[int] = []
    inflate = zips._inflate

    def counted(data: bytes, entry: object) -> Iterator[bytes]:
        for piece in inflate(data, entry):
            pieces.append(len(piece))
            yield piece

    monkeypatch.setattr(zips, "_inflate", counted)
    bomb = build(Entry(b"a", size=10, crc=0, packed=deflate(bytes(20_000_000))))
    assert fault(bomb).fault is ZipFault.UNREADABLE
    assert sum(pieces) <= 1 << 18


def test_sizes_add_up_over_the_entries() -> None:
    data = build(*(Entry(f"{n}".encode(), b"x" * 100) for n in range(10)))
    assert look(data, size=1000).unzipped_bytes == 1000
    assert fault(data, size=999).fault is ZipFault.TOO_LARGE


def test_folders_that_are_only_implied_count_as_entries() -> None:
    data = build(Entry(b"a/b/c/d", b"x"))
    assert look(data, entries=4).entries == 4
    assert fault(data, entries=3).fault is ZipFault.UNSAFE
    many = build(*(Entry(f"{n}".encode()) for n in range(11)))
    assert fault(many, entries=10).fault is ZipFault.UNSAFE


def test_links_that_cost_too_many_steps_are_refused() -> None:
    chain = [link(f"l{n}".encode(), f"{'./' * 1400}l{n + 1}") for n in range(200)]
    assert fault(build(*chain), size=10_000_000).fault is ZipFault.UNSAFE


@pytest.mark.parametrize("data", [b"", build(), build(Entry(b"d/")), build(Entry(b"./"))])
def test_a_package_without_a_file_is_empty(data: bytes) -> None:
    assert fault(data).fault is ZipFault.EMPTY


def test_what_zipfile_writes_is_read_back_in_full(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("stored.bin", bytes(range(256)) * 300, zipfile.ZIP_STORED)
        archive.writestr("pkg/mod.py", "x = 1\n" * 100_000, zipfile.ZIP_DEFLATED)
        archive.writestr("pkg/empty", "")
        archive.writestr("größe/ñ.txt", "é")
        archive.writestr("folder/", "")
        with archive.open("streamed", "w", force_zip64=True) as member:
            member.write(b"wide")
    data = out.getvalue()
    facts = unpack(data, tmp_path)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                assert (tmp_path / info.filename).read_bytes() == archive.read(info)
    assert (tmp_path / "folder").is_dir()
    assert facts == look(data)
    assert facts.entries == 8


def test_a_stream_with_data_descriptors_is_read(tmp_path: Path) -> None:
    class Unseekable(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, piece: object) -> int:
            before = len(self.data)
            self.data += piece
            return len(self.data) - before

    out = Unseekable()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", "x" * 100)
        archive.writestr("b", "y")
    unpack(bytes(out.data), tmp_path)
    assert (tmp_path / "a").read_text() == "x" * 100


def test_a_zip64_archive_is_read(tmp_path: Path) -> None:
    wide = struct.pack("<HHQQ", 1, 16, 5, len(deflate(b"hello")))
    entry = Entry(b"a", b"hello", extra=wide, size=0xFFFFFFFF, packed_bytes=0xFFFFFFFF)
    data = build(entry)
    end = data.rindex(b"PK\5\6")
    size, offset = struct.unpack_from("<2L", data, end + 12)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    narrow = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    wide_data = data[:end] + end64 + locator + narrow
    unpack(wide_data, tmp_path)
    assert (tmp_path / "a").read_text() == "hello"
    with zipfile.ZipFile(io.BytesIO(wide_data)) as archive:
        assert archive.namelist() == ["a"]
    assert fault(data[:end] + locator + narrow).fault is ZipFault.UNREADABLE


def test_something_before_and_after_the_archive_is_allowed(tmp_path: Path) -> None:
    unpack(build(A, prefix=b"#!/bin/sh\nexec java -jar $0\n", comment=b"bye"), tmp_path)
    assert (tmp_path / "a").read_bytes() == A.content


def test_modes_keep_the_executable_bit_and_nothing_else(tmp_path: Path) -> None:
    modes = {
        b"plain": (stat.S_IFREG | 0o600, 0o644),
        b"program": (stat.S_IFREG | 0o700, 0o755),
        b"setuid": (stat.S_IFREG | 0o6755, 0o755),
        b"writable": (stat.S_IFREG | 0o666, 0o644),
        b"for-others-only": (stat.S_IFREG | 0o011, 0o644),
        b"none": (0, 0o644),
    }
    umask = os.umask(0o077)
    try:
        unpack(
            build(
                *(Entry(name, b"x", mode=mode) for name, (mode, _) in modes.items()),
                Entry(b"dos", b"x", mode=0o100755, maker=0),
                Entry(b"d/", mode=stat.S_IFDIR | 0o700),
                Entry(b"e", mode=stat.S_IFDIR | 0o700),
                Entry(b"g", mode=0, maker=0, attributes=0x10),
            ),
            tmp_path,
        )
    finally:
        os.umask(umask)
    for name, (_, expected) in modes.items():
        assert stat.S_IMODE((tmp_path / name.decode()).stat().st_mode) == expected, name
    assert stat.S_IMODE((tmp_path / "dos").stat().st_mode) == 0o644
    for folder in ("d", "e", "g"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o755
        assert (tmp_path / folder).is_dir()


def test_links_inside_the_tree_are_kept(tmp_path: Path) -> None:
    unpack(
        build(
            Entry(b"lib/libx.so.1", b"elf"),
            link(b"lib/libx.so", "libx.so.1"),
            link(b"bin", "lib/../lib"),
            link(b"deep/er/up", "../../lib/libx.so"),
            link(b"dangling", "nowhere/yet"),
            link(b"root", "."),
        ),
        tmp_path,
    )
    assert (tmp_path / "lib/libx.so").read_bytes() == b"elf"
    assert (tmp_path / "bin/libx.so").read_bytes() == b"elf"
    assert (tmp_path / "deep/er/up").read_bytes() == b"elf"
    assert (tmp_path / "dangling").readlink() == Path("nowhere/yet")
    assert (tmp_path / "root").is_symlink()


def test_a_folder_may_be_listed_twice_and_dots_are_dropped(tmp_path: Path) -> None:
    facts = unpack(
        build(Entry(b"./"), Entry(b"d/"), Entry(b"d/"), Entry(b"./d//a", b"x")), tmp_path
    )
    assert (tmp_path / "d/a").read_bytes() == b"x"
    assert facts.entries == 2


def test_names_without_the_flag_are_utf8_or_code_page_437(tmp_path: Path) -> None:
    unpack(build(Entry("é".encode(), b"1"), Entry(b"\x81", b"2")), tmp_path)
    assert (tmp_path / "é").read_bytes() == b"1"
    assert (tmp_path / "ü").read_bytes() == b"2"


def test_times_of_change_are_kept(tmp_path: Path) -> None:
    exact = struct.pack("<HHBL", 0x5455, 5, 1, 1_700_000_001)
    unpack(build(Entry(b"exact", extra=exact), Entry(b"dos")), tmp_path)
    assert (tmp_path / "exact").stat().st_mtime == 1_700_000_001
    assert time.gmtime((tmp_path / "dos").stat().st_mtime)[:5] == (2026, 11, 20, 10, 0)


def test_impossible_times_do_no_harm(tmp_path: Path) -> None:
    data = bytearray(build(A))
    at = data.index(b"PK\1\2")
    struct.pack_into("<2H", data, at + 12, 0xFFFF, 0xFFFF)
    unpack(bytes(data), tmp_path)
    struct.pack_into("<2H", data, at + 12, 0, 0)
    (tmp_path / "again").mkdir()
    unpack(bytes(data), tmp_path / "again")


def test_a_disk_that_fails_halfway_leaves_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    write = zips._write_file

    def fail_third(data: bytes, entry: object, path: Path) -> None:
        if len(written) == 2:
            raise OSError("no space left on device")
        written.append(path)
        write(data, entry, path)

    monkeypatch.setattr(zips, "_write_file", fail_third)
    with pytest.raises(OSError, match="no space"):
        unpack(build(*(Entry(f"d{n}/f".encode(), b"x") for n in range(4))), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_damage_deep_inside_leaves_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ZipError):
        unpack(build(Entry(b"d/a", b"x"), link(b"l", "d"), Entry(b"b", b"y", crc=1)), tmp_path)
    assert list(tmp_path.iterdir()) == []

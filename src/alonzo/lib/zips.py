"""Zip packages of strangers: look inside without unpacking, and unpack without being tricked.

Both ``inspect`` and ``extract`` read the archive with the parser below and no other, so the bytes
that were judged are the bytes that get written.

Rules, every one of them checked before the first byte is written:

* Paths are relative, in ``/`` form, without ``..``, drive letters, backslashes or NUL. ``.`` and
  empty components are dropped. No two entries share a path, and no file is also a folder.
* Entries are files, folders and symbolic links. A link ends inside the tree however many other
  links it passes, and no entry lies below a link.
* Sizes are counted twice: as declared, and while inflating, where an entry that grows past its
  declared size, or misses it, or its CRC, is refused. Entries never share bytes.
* Folders that are only implied by paths count as entries too.

Written modes are 0755 for folders, 0755 for files that their owner may execute, else 0644: AWS
needs code to be readable by another user than its owner, and set-uid means nothing there.
Times of change are kept, because compiled Python files name that of their source.

Source: PKWARE APPNOTE 6.3.10; the extended timestamp is Info-ZIP's.
"""

from __future__ import annotations

import calendar
import os
import shutil
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

COMPONENT_BYTES_MAX = 255
#: Short enough that no path reaches PATH_MAX, wherever the tree is put.
PATH_BYTES_MAX = 3072
DEPTH_MAX = 128
#: How many links one path may pass; the kernel's own number.
LINKS_MAX = 40
#: Path components that all links of a package may cost together.
LINK_STEPS_MAX = 200_000

_CHUNK = 1 << 18
_EOCD = struct.Struct("<4s4H2LH")
_EOCD64_LOCATOR = struct.Struct("<4sLQL")
_EOCD64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s2B5H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_COMMENT_BYTES_MAX = 0xFFFF
_STORED, _DEFLATED = 0, 8
#: Encrypted, patched data, strongly encrypted, masked headers.
_FLAGS_REFUSED = 0x0001 | 0x0020 | 0x0040 | 0x2000
_FLAG_UTF8 = 0x0800
#: Makers whose attributes carry a Unix mode: Unix and macOS.
_UNIX_MAKERS = (3, 19)
_DOS_FOLDER = 0x10

Parts = tuple[str, ...]


class _Central(NamedTuple):
    """The fixed part of a central directory record, in its order."""

    signature: bytes
    made_by_version: int
    made_by_system: int
    needs_version: int
    flags: int
    method: int
    dos_time: int
    dos_date: int
    crc: int
    packed_bytes: int
    size_bytes: int
    name_bytes: int
    extra_bytes: int
    comment_bytes: int
    disk: int
    internal_attributes: int
    attributes: int
    offset: int


class ZipFault(Enum):
    """Why a package is refused, as far as callers tell the cases apart."""

    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TOO_LARGE = "too large"
    UNSAFE = "unsafe"


class ZipError(Exception):
    """A package is refused. The text is fit for the package's owner and ends without a full stop.

    ``UNREADABLE``: not a zip, or a damaged one. ``EMPTY``: no bytes, or no file in them.
    ``TOO_LARGE``: more unpacked bytes than allowed. ``UNSAFE``: readable, but it holds what must
    not be unpacked.
    """

    def __init__(self, fault: ZipFault, text: str) -> None:
        super().__init__(text)
        self.fault = fault
        self.text = text


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """What was found. ``entries`` counts files, links and folders, implied ones included."""

    entries: int
    unzipped_bytes: int


class _Kind(Enum):
    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class _Entry:
    parts: Parts
    raw_name: bytes
    kind: _Kind
    executable: bool
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int
    offset: int
    changed_at_s: int

    @property
    def path(self) -> str:
        return "/".join(self.parts)


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the central directory lies. ``shift`` is what stands before the archive proper."""

    start: int
    end: int
    shift: int


def inspect(data: bytes, *, unzipped_bytes_max: int, entries_max: int) -> PackageFacts:
    """Check a whole package, contents included, and unpack nothing.

    Takes about the time of inflating it; memory stays at a few pieces of an entry.

    Raises:
        ZipError: the package breaks a rule of this module.
    """
    tree = _Tree.read(data, unzipped_bytes_max=unzipped_bytes_max, entries_max=entries_max)
    for entry in tree.files:
        for _ in _content(data, entry):
            pass
    return tree.facts


def extract(
    data: bytes, folder: Path, *, unzipped_bytes_max: int, entries_max: int
) -> PackageFacts:
    """Unpack a package into ``folder``, which must exist and be empty.

    All that is written belongs to this process. Nothing is flushed to the disk: the package is
    the durable copy. If anything fails, ``folder`` is left empty.

    Raises:
        ZipError: the package breaks a rule of this module.
        OSError: writing failed.
    """
    tree = _Tree.read(data, unzipped_bytes_max=unzipped_bytes_max, entries_max=entries_max)
    try:
        tree.write(data, folder)
    except BaseException:
        _empty(folder)
        raise
    return tree.facts


@dataclass(frozen=True, slots=True)
class _Tree:
    """A package's entries after every check that needs no inflating of files."""

    folders: tuple[Parts, ...]
    files: tuple[_Entry, ...]
    links: tuple[tuple[_Entry, str], ...]
    facts: PackageFacts

    @classmethod
    def read(cls, data: bytes, *, unzipped_bytes_max: int, entries_max: int) -> _Tree:
        directory = _find_directory(data)
        entries: list[_Entry] = []
        unzipped_bytes = 0
        for entry in _entries(data, directory):
            entries.append(entry)
            unzipped_bytes += entry.size_bytes
            if len(entries) > entries_max:
                raise _too_many(entries_max)
            if unzipped_bytes > unzipped_bytes_max:
                raise ZipError(ZipFault.TOO_LARGE, f"it holds more than {unzipped_bytes_max} bytes")
        _check_overlap(data, directory, entries)
        kinds = _layout(entries, entries_max)
        links = tuple((e, _target(data, e)) for e in entries if e.kind is _Kind.LINK)
        check_links({e.parts: target for e, target in links})
        if not any(kind is not _Kind.FOLDER for kind in kinds.values()):
            raise ZipError(ZipFault.EMPTY, "it holds no file")
        return cls(
            folders=tuple(sorted(p for p, kind in kinds.items() if kind is _Kind.FOLDER)),
            files=tuple(e for e in entries if e.kind is _Kind.FILE),
            links=links,
            facts=PackageFacts(entries=len(kinds), unzipped_bytes=unzipped_bytes),
        )

    def write(self, data: bytes, folder: Path) -> None:
        for parts in self.folders:
            path = folder.joinpath(*parts)
            path.mkdir()
            path.chmod(0o755)
        for entry in self.files:
            _write_file(data, entry, folder.joinpath(*entry.parts))
        # Links come last: until then no path of this package can lead through one.
        for entry, target in self.links:
            folder.joinpath(*entry.parts).symlink_to(target)


def _write_file(data: bytes, entry: _Entry, path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb", buffering=0) as out:
        for piece in _content(data, entry):
            rest = memoryview(piece)
            while rest:
                rest = rest[out.write(rest) :]
        os.utime(fd, (entry.changed_at_s, entry.changed_at_s))
        os.fchmod(fd, 0o755 if entry.executable else 0o644)


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)


def _unreadable(text: str) -> ZipError:
    return ZipError(ZipFault.UNREADABLE, text)


def _unsafe(text: str) -> ZipError:
    return ZipError(ZipFault.UNSAFE, text)


def _too_many(entries_max: int) -> ZipError:
    return _unsafe(f"it holds more than {entries_max} files and folders")


def _find_directory(data: bytes) -> _Directory:
    """Find the end record, and with it the central directory."""
    if not data:
        raise ZipError(ZipFault.EMPTY, "it has no bytes")
    at = data.rfind(b"PK\x05\x06", max(0, len(data) - _EOCD.size - _COMMENT_BYTES_MAX))
    if at < 0 or at + _EOCD.size > len(data):
        raise _unreadable("it is not a zip file")
    _, disk, first_disk, _, _, size, offset, _ = _EOCD.unpack_from(data, at)
    end = at
    locator_at = at - _EOCD64_LOCATOR.size
    if locator_at >= 0 and data.startswith(b"PK\x06\x07", locator_at):
        end = _find_end64(data, locator_at)
        fields = _EOCD64.unpack_from(data, end)
        disk, first_disk, size, offset = fields[4], fields[5], fields[8], fields[9]
    if disk != 0 or first_disk != 0:
        raise _unreadable("it is one part of a split archive")
    shift = end - size - offset
    if shift < 0:
        raise _unreadable("its directory lies outside the file")
    return _Directory(start=end - size, end=end, shift=shift)


def _find_end64(data: bytes, locator_at: int) -> int:
    _, _, declared, _ = _EOCD64_LOCATOR.unpack_from(data, locator_at)
    # What stands before the archive moves the record; then it is right before its locator.
    for at in (locator_at - _EOCD64.size, declared):
        if 0 <= at <= locator_at - _EOCD64.size and data.startswith(b"PK\x06\x06", at):
            return at
    raise _unreadable("its zip64 end record is missing")


def _entries(data: bytes, directory: _Directory) -> Iterator[_Entry]:
    """Every entry of the central directory, each judged by itself."""
    at = directory.start
    while at < directory.end:
        if at + _CENTRAL.size > directory.end or not data.startswith(b"PK\x01\x02", at):
            raise _unreadable("its directory is damaged")
        record = _Central._make(_CENTRAL.unpack_from(data, at))
        name_at = at + _CENTRAL.size
        extra_at = name_at + record.name_bytes
        comment_at = extra_at + record.extra_bytes
        at = comment_at + record.comment_bytes
        if at > directory.end:
            raise _unreadable("its directory is damaged")
        extra = _extra_fields(data[extra_at:comment_at])
        yield _entry(record, data[name_at:extra_at], extra, directory.shift)


def _extra_fields(raw: bytes) -> dict[int, bytes]:
    """The extra field by tag. What does not parse ends it: many writers pad it."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(raw):
        tag, size = struct.unpack_from("<2H", raw, at)
        if at + 4 + size > len(raw):
            break
        found.setdefault(tag, raw[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def _entry(record: _Central, raw_name: bytes, extra: dict[int, bytes], shift: int) -> _Entry:
    name = _decode(raw_name, record.flags)
    if record.flags & _FLAGS_REFUSED:
        raise _unsafe(f"entry {name!r} is encrypted")
    if record.method not in (_STORED, _DEFLATED):
        raise _unsafe(f"entry {name!r} is compressed with the unsupported method {record.method}")
    packed_bytes, size_bytes, offset = _wide_sizes(record, extra)
    parts = _parts(name)
    mode = record.attributes >> 16 if record.made_by_system in _UNIX_MAKERS else 0
    kind = _kind(name, mode, record.attributes)
    if kind is _Kind.FOLDER and size_bytes:
        raise _unreadable(f"folder {name!r} has content")
    if kind is not _Kind.FOLDER and not parts:
        raise _unsafe(f"entry {name!r} has no name")
    return _Entry(
        parts=parts,
        raw_name=raw_name,
        kind=kind,
        executable=bool(mode & stat.S_IXUSR),
        method=record.method,
        crc=record.crc,
        packed_bytes=packed_bytes,
        size_bytes=size_bytes,
        offset=offset + shift,
        changed_at_s=_changed_at_s(record.dos_date, record.dos_time, extra),
    )


def _wide_sizes(record: _Central, extra: dict[int, bytes]) -> tuple[int, int, int]:
    """Packed bytes, size and offset; out of zip64's extra field where the narrow ones are full."""
    wide = extra.get(0x0001, b"")
    values: list[int] = []
    # The order inside the field is the unpacked size first.
    for narrow in (record.size_bytes, record.packed_bytes, record.offset):
        if narrow != 0xFFFFFFFF:
            values.append(narrow)
            continue
        if len(wide) < 8:
            raise _unreadable("a zip64 size is missing")
        values.append(int.from_bytes(wide[:8], "little"))
        wide = wide[8:]
    return values[1], values[0], values[2]


def _decode(raw: bytes, flags: int) -> str:
    # Many tools write UTF-8 without saying so; what is no UTF-8 is code page 437 by definition.
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if flags & _FLAG_UTF8:
            raise _unsafe(f"the name {raw!r} is not UTF-8") from None
        return raw.decode("cp437")


def _parts(name: str) -> Parts:
    if "\0" in name:
        raise _unsafe(f"the name {name!r} holds a NUL character")
    if "\\" in name:
        raise _unsafe(f"the name {name!r} holds a backslash")
    if name.startswith("/") or (name[1:2] == ":" and name[0].isascii() and name[0].isalpha()):
        raise _unsafe(f"the path {name!r} is absolute")
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if ".." in parts:
        raise _unsafe(f"the path {name!r} leaves the package")
    if len(parts) > DEPTH_MAX or len(name.encode()) > PATH_BYTES_MAX:
        raise _unsafe(f"the path {name[:64]!r}… is too long or too deep")
    if any(len(part.encode()) > COMPONENT_BYTES_MAX for part in parts):
        raise _unsafe(f"a name in {name[:64]!r}… is longer than {COMPONENT_BYTES_MAX} bytes")
    return parts


def _kind(name: str, mode: int, attributes: int) -> _Kind:
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        return _Kind.LINK
    if kind == stat.S_IFDIR or name.endswith("/"):
        return _Kind.FOLDER
    if kind not in (0, stat.S_IFREG):
        raise _unsafe(f"entry {name!r} is neither a file, a folder nor a link")
    if kind == 0 and attributes & _DOS_FOLDER:
        return _Kind.FOLDER
    return _Kind.FILE


def _changed_at_s(dos_date: int, dos_time: int, extra: dict[int, bytes]) -> int:
    """Epoch seconds; the DOS time, which names no zone, is read as UTC."""
    exact = extra.get(0x5455, b"")
    if len(exact) >= 5 and exact[0] & 1:
        return int.from_bytes(exact[1:5], "little")
    return calendar.timegm(
        (
            1980 + (dos_date >> 9),
            min(max(dos_date >> 5 & 0xF, 1), 12),
            max(dos_date & 0x1F, 1),
            dos_time >> 11,
            dos_time >> 5 & 0x3F,
            (dos_time & 0x1F) * 2,
        )
    )


def _data_start(data: bytes, entry: _Entry) -> int:
    if entry.offset + _LOCAL.size > len(data) or not data.startswith(b"PK\x03\x04", entry.offset):
        raise _unreadable(f"entry {entry.path!r} has no header")
    fields = _LOCAL.unpack_from(data, entry.offset)
    name_at = entry.offset + _LOCAL.size
    if data[name_at : name_at + fields[9]] != entry.raw_name:
        raise _unreadable(f"entry {entry.path!r} has another name in its header")
    return name_at + fields[9] + fields[10]


def _check_overlap(data: bytes, directory: _Directory, entries: list[_Entry]) -> None:
    end = directory.shift
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset < end:
            raise _unsafe(f"entry {entry.path!r} shares bytes with another")
        end = _data_start(data, entry) + entry.packed_bytes
    if end > directory.start:
        raise _unsafe("an entry shares bytes with the directory")


def _layout(entries: list[_Entry], entries_max: int) -> dict[Parts, _Kind]:
    """Every path of the package with its kind, folders that are only implied included."""
    kinds: dict[Parts, _Kind] = {}
    for entry in entries:
        known = kinds.get(entry.parts)
        if known is not None and not (known is entry.kind is _Kind.FOLDER):
            raise _unsafe(f"the path {entry.path!r} occurs twice")
        if entry.parts:
            kinds[entry.parts] = entry.kind
    done: set[Parts] = set()
    for entry in entries:
        for depth in range(len(entry.parts) - 1, 0, -1):
            parent = entry.parts[:depth]
            if parent in done:
                break
            known = kinds.setdefault(parent, _Kind.FOLDER)
            if known is not _Kind.FOLDER:
                raise _unsafe(f"the path {'/'.join(parent)!r} is a {known.value} and a folder")
            done.add(parent)
        if len(kinds) > entries_max:
            raise _too_many(entries_max)
    return kinds


def _target(data: bytes, entry: _Entry) -> str:
    if not 0 < entry.size_bytes <= PATH_BYTES_MAX:
        raise _unsafe(f"the link {entry.path!r} has a target of {entry.size_bytes} bytes")
    try:
        target = b"".join(_content(data, entry)).decode("utf-8")
    except UnicodeDecodeError:
        raise _unsafe(f"the target of the link {entry.path!r} is not UTF-8") from None
    if "\0" in target or target.startswith("/"):
        raise _leaves(entry.parts)
    return target


def _leaves(link: Parts) -> ZipError:
    return _unsafe(f"the link {'/'.join(link)!r} leaves the package")


def check_links(links: dict[Parts, str]) -> None:
    """Follow each link of a tree as the kernel would; every step must stay inside the tree.

    ``links`` maps the path of each link, component by component, to its target.

    Raises:
        ZipError: ``UNSAFE``; it names the link.
    """
    steps = 0
    for link, target in links.items():
        here = list(link[:-1])
        todo = target.split("/")[::-1]
        passed = 1
        while todo:
            steps += 1
            part = todo.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if not here:
                    raise _leaves(link)
                here.pop()
                continue
            here.append(part)
            next_target = links.get(tuple(here))
            if next_target is not None:
                passed += 1
                here.pop()
                todo.extend(next_target.split("/")[::-1])
            if passed > LINKS_MAX or len(here) > DEPTH_MAX or steps > LINK_STEPS_MAX:
                raise _unsafe(f"the link {'/'.join(link)!r} goes round in circles or too deep")


def _content(data: bytes, entry: _Entry) -> Iterator[bytes]:
    """An entry's content in pieces, held to its declared size and CRC."""
    crc = size = 0
    for piece in _inflate(data, entry):
        size += len(piece)
        if size > entry.size_bytes:
            break
        crc = zlib.crc32(piece, crc)
        yield piece
    if size != entry.size_bytes or crc != entry.crc:
        raise _unreadable(f"entry {entry.path!r} is damaged")


def _inflate(data: bytes, entry: _Entry) -> Iterator[bytes]:
    start = _data_start(data, entry)
    end = start + entry.packed_bytes
    if entry.method == _STORED:
        for at in range(start, end, _CHUNK):
            yield data[at : min(at + _CHUNK, end)]
        return
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for at in range(start, end, _CHUNK):
            packed = data[at : min(at + _CHUNK, end)]
            while packed and not stream.eof:
                yield stream.decompress(packed, _CHUNK)
                packed = stream.unconsumed_tail
        while not stream.eof and (piece := stream.decompress(b"", _CHUNK)):
            yield piece
    except zlib.error:
        raise _unreadable(f"entry {entry.path!r} is damaged") from None
    if not stream.eof or stream.unused_data:
        raise _unreadable(f"entry {entry.path!r} is damaged")

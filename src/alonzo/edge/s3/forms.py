"""The body of an upload from a browser's form, ``multipart/form-data``, taken apart. Pure.

The fields before the file are short and kept; the file is passed on while it arrives, and what
follows it is read and thrown away, as S3 does.

Source: RFC 7578; S3 API reference, POST Object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from alonzo.model.errors import AwsError

#: What may come before the file. Source: S3 API reference, HTML form fields.
FIELDS_BYTES_MAX = 20 * 1024
_FIELDS_MAX = 200
_BOUNDARY_CHARS_MAX = 70

_FILE = "file"
_BOUNDARY = re.compile(
    rb'multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE
)
_DISPOSITION = re.compile(rb"content-disposition:\s*form-data\s*;(.*)", re.IGNORECASE)
_PARAMETER = re.compile(rb'\b(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields by their names in lower case, and what the browser calls the file.

    ``rest`` is what came of the file so far, and of what follows it.
    """

    fields: Mapping[str, str]
    filename: str
    rest: bytes


def boundary_of(content_type: bytes) -> bytes | None:
    """The boundary that a ``Content-Type`` gives; None: it is of no form, or gives none."""
    found = _BOUNDARY.match(content_type)
    if found is None:
        return None
    boundary = found[1] or found[2]
    return boundary if len(boundary) <= _BOUNDARY_CHARS_MAX else None


class FormReader:
    """Reads the fields, up to where the file begins."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter has no line before it.
        self._buffer = bytearray(b"\r\n")
        self._at = 0
        self._fields: dict[str, str] = {}

    def feed(self, data: bytes) -> Form | None:
        """Take in what came; the form, once the file has begun.

        Raises:
            AwsError: it is no form, it is too long, or there is no file in it.
        """
        self._buffer += data
        while (part := self._next_part()) is not None:
            names, start, end = part
            name = names.get("name", "").lower()
            if name == _FILE:
                filename = re.split(r"[/\\]", names.get("filename", ""))[-1]
                return Form(self._fields, filename, bytes(self._buffer[start:]))
            if end is None:
                break
            if not name or name in self._fields or len(self._fields) >= _FIELDS_MAX:
                raise malformed()
            self._fields[name] = _text(bytes(self._buffer[start:end]))
            self._at = end
        if len(self._buffer) > FIELDS_BYTES_MAX:
            raise AwsError(
                "MaxPostPreDataLengthExceededError",
                "Your POST request fields preceding the upload file were too large.",
                status=400,
            )
        return None

    def _next_part(self) -> tuple[dict[str, str], int, int | None] | None:
        """What is said of a part, where it begins, and where it ends; None: more is to come."""
        limit = FIELDS_BYTES_MAX + len(self._delimiter)
        begin = self._at + len(self._delimiter)
        if len(self._buffer) < begin + 2:
            return None
        line = bytes(self._buffer[self._at : begin + 2])
        if line == self._delimiter + b"--":
            raise AwsError(
                "IncorrectNumberOfFilesInPostRequest",
                "POST requires exactly one file upload per request.",
                status=400,
            )
        if line != self._delimiter + b"\r\n":
            raise malformed()
        head_end = self._buffer.find(b"\r\n\r\n", begin, limit)
        if head_end < 0:
            return None
        start = head_end + 4
        end = self._buffer.find(self._delimiter, start, limit)
        return _named(bytes(self._buffer[begin:head_end])), start, None if end < 0 else end


class FileEnd:
    """Passes a file on, up to the delimiter behind it."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._held: bytes = b""
        #: The delimiter was there.
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """What is surely of the file."""
        if self.ended:
            return b""
        data = self._held + data
        at = data.find(self._delimiter)
        if at >= 0:
            self.ended, self._held = True, b""
            return data[:at]
        keep = min(len(data), len(self._delimiter) - 1)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]


def malformed() -> AwsError:
    """The body is no form."""
    return AwsError(
        "MalformedPOSTRequest",
        "The body of your POST request is not well-formed multipart/form-data.",
        status=400,
    )


def _named(head: bytes) -> dict[str, str]:
    for line in head.split(b"\r\n"):
        found = _DISPOSITION.fullmatch(line.strip())
        if found is not None:
            return {
                name.decode().lower(): _text(value.replace(b'\\"', b'"'))
                for name, value in _PARAMETER.findall(found[1])
            }
    return {}


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise malformed() from None

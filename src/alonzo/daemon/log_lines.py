"""The daemon's own log lines: an event, and what it was about."""

from __future__ import annotations

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class LogFormatter(logging.Formatter):
    """Appends a record's ``extra`` members, as ``name=value``; a value is quoted if it must be."""

    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without its traceback."""
        more = (f"{name}={_shown(v)}" for name, v in vars(record).items() if name not in _STANDARD)
        return " ".join((super().formatMessage(record), *more))


def _shown(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and text and not set(text) & set(' "=')
    return text if plain else repr(text)

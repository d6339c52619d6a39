"""Error documents and error reports in the log, as AWS's client writes them."""

import os
import time
import traceback

_TEXT_ERROR = 0xA55A0017
_JSON_ERROR = 0xA55A0016

#: Log viewers trim plain spaces at the start of a line.
_INDENT = "\u00a0"


def report(error, known, request_id, log, encoder):
    """Log ``error`` and return its document.

    ``known``: it is a ``Fault``, which brings its own name and trace. ``request_id`` is None
    during init.
    """
    document = _document(error, known, request_id)
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        record = {"timestamp": now, "level": "ERROR"}
        record.update(document)
        log.write_error(encoder.encode(record), _JSON_ERROR)
    else:
        log.write_error(log.end_of_line.join(_lines(document)), _TEXT_ERROR)
    return document


def warn_of_failed_init():
    """Say before the report that the function's own code is the likeliest cause."""
    import logging

    logging.getLogger().warning(
        "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function "
        "code: its module could not be loaded. The error follows.\r"
    )


def _document(error, known, request_id):
    if known:
        kind, message, trace = error.kind, error.message, error.trace
    else:
        kind, message = type(error).__name__, str(error)
        trace = traceback.format_list(_frames(error))
    return {
        "errorMessage": message,
        "errorType": kind,
        "requestId": request_id or "",
        "stackTrace": trace,
    }


def _frames(error):
    """The traceback from the function's first frame on; all of it, where it has none."""
    frames = [
        (frame.filename, frame.lineno, frame.name, frame.line)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    for index, frame in enumerate(frames):
        if "/bootstrap.py" not in frame[0]:
            return frames[index:]
    return frames


def _lines(document):
    title = "[ERROR] " + document["errorType"]
    if document["errorMessage"]:
        title += ": " + document["errorMessage"]
    lines = [title, "Traceback (most recent call last):"]
    for entry in document["stackTrace"]:
        for line in entry.splitlines() or [""]:
            text = line.lstrip(" ")
            lines.append(_INDENT * (len(line) - len(text)) + text)
    return lines

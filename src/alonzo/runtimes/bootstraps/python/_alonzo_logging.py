"""Sets the root logger up as AWS's Python runtime does, for the Text and the JSON log format."""

import json
import os
import time

_LEVELS = ("NOTSET", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL")
_TEXT = 0xA55A0003
_JSON = 0xA55A0002
_SECONDS = "%Y-%m-%dT%H:%M:%S"

#: Attributes of a record that are not the function's own ``extra``.
_OWN = frozenset(
    "name msg args levelname levelno pathname filename module exc_info exc_text stack_info lineno "
    "funcName created msecs relativeCreated thread threadName processName process "
    "aws_request_id tenant_id".split()
)


#: The handler, once it has been made.
_made = []


def prepare(logging):
    """Make the handler, which takes a class and pages of memory, before it is known for whom."""

    class LambdaHandler(logging.Handler):
        """Adds the request to each record and writes it as one log event."""

        #: Set by ``configure``; text without a level setting carries no level, so that nothing
        #: filters it.
        log = current = None
        base, marked = _TEXT, False

        def emit(self, record):
            # handle() has run the filters; emit() is the last to touch the record.
            text = self.format(record)
            number = min(50, max(0, record.levelno)) // 10
            self.log.write(text, self.base | ((number + 1) << 2 if number and self.marked else 0))

    def add_request(record):
        record.aws_request_id = handler.current.request_id
        record.tenant_id = handler.current.tenant_id
        return True

    handler = LambdaHandler()
    handler.addFilter(add_request)
    handler.setFormatter(_text_formatter(logging))
    _made.append(handler)


def configure(logging, log, current):
    """Give the root logger one handler that writes to ``log``; ``current`` knows the request."""
    logging.Formatter.converter = time.gmtime
    as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level
    if not _made:
        prepare(logging)
    handler = _made.pop()
    handler.log, handler.current = log, current
    if as_json or level:
        handler.marked = True
    if as_json:
        handler.base = _JSON
        handler.setFormatter(_json_formatter(logging))
    root = logging.getLogger()
    if level in _LEVELS:
        root.setLevel(level)
    root.addHandler(handler)


def _text_formatter(logging):
    return logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", _SECONDS
    )


def _json_formatter(logging):
    import traceback

    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

    class JsonFormatter(logging.Formatter):
        """One JSON object per record; empty members are left out, ``extra`` comes last."""

        def format(self, record):
            number = min(50, max(0, record.levelno)) // 10 * 10
            whole = isinstance(record.msg, dict) and not record.args
            fields = {
                "timestamp": self.formatTime(record, _SECONDS + "Z"),
                "level": logging.getLevelName(number),
                "message": record.msg if whole else record.getMessage(),
                "logger": record.name,
            }
            if record.exc_info:
                kind, error, trace = record.exc_info
                fields["stackTrace"] = traceback.format_tb(trace)
                fields["errorType"] = kind.__name__ if kind else None
                fields["errorMessage"] = str(error)
            fields["requestId"] = record.aws_request_id
            if record.exc_info:
                fields["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
            fields["tenantId"] = record.tenant_id
            for name, value in record.__dict__.items():
                if name not in _OWN and name not in fields:
                    fields[name] = value
            present = {name: value for name, value in fields.items() if value is not None}
            return encode(present) + "\n"

    return JsonFormatter()

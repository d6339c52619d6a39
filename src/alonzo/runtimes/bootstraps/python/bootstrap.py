"""Runs a Python handler: calls arrive as frames on descriptor 3, results leave the same way.

One source for Python 3.8 and later, standard library only. ``start.py`` runs it. What a plain call
does not need lives in the modules beside this one and is imported when it is needed; ``logging`` is
set up when the function imports it. The frames are described in ``runtimes/framing.py``; the
behaviour is that of AWS's own client, down to the texts of its errors.
"""

import importlib
import json
import os
import sys
import time
from _thread import allocate_lock

CHANNEL_FD = 3
READY, RESPONSE, ERROR, INIT_ERROR = 16, 17, 18, 19
INVOKE = 1

#: More than this is written apart from its header, to spare a copy.
JOIN_BYTES_MAX = 1 << 16


class Fault(Exception):
    """A failure with a name of its own in Lambda (``Runtime.…``); ``trace`` is its stack trace."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace or []


class Current:
    """Whom the process works for now; the log lines show it."""

    request_id = ""
    tenant_id = None


# ----------------------------------------------------------------------------------- the channel


def receive():
    """The next call: its header, and a view of its event. None: the daemon has gone."""
    data = os.read(CHANNEL_FD, JOIN_BYTES_MAX)
    while 0 < len(data) < 4:
        more = os.read(CHANNEL_FD, JOIN_BYTES_MAX)
        data = data + more if more else b""
    if not data:
        return None
    total = 4 + int.from_bytes(data[:4], "big")
    if len(data) < total:
        whole = bytearray(total)
        whole[: len(data)] = data
        view, have = memoryview(whole), len(data)
        while have < total:
            got = os.readv(CHANNEL_FD, [view[have:]])
            if not got:
                return None
            have += got
        data = whole
    if data[4] != INVOKE or len(data) != total:
        raise RuntimeError("the daemon sent what is no single INVOKE frame")
    body_at = 7 + int.from_bytes(data[5:7], "big")
    return json.loads(data[7:body_at]), memoryview(data)[body_at:]


def send(kind, header, body=b""):
    """Write one frame, however many writes it takes."""
    head = json.dumps(header).encode() if header else b""
    prefix = b"%b%c%b%b" % (
        (3 + len(head) + len(body)).to_bytes(4, "big"), kind, len(head).to_bytes(2, "big"), head
    )  # fmt: skip
    if len(body) <= JOIN_BYTES_MAX:
        write_all(CHANNEL_FD, prefix + body)
    else:
        write_all(CHANNEL_FD, prefix)
        write_all(CHANNEL_FD, body)


def write_all(fd, data):
    """Write every byte of ``data``."""
    done = os.write(fd, data)
    if done < len(data):
        view = memoryview(data)
        while done < len(data):
            done += os.write(fd, view[done:])


# ------------------------------------------------------------------------------------------- JSON


class Encoder(json.JSONEncoder):
    """JSON as AWS writes it: decimals as numbers, bytes as text, NaN allowed.

    Since Python 3.12 other alphabets are written as they are. A decimal leaves here as a marked
    string, and its quotes and its mark are taken off at the end.
    """

    mark = None

    def __init__(self):
        super().__init__(ensure_ascii=sys.version_info < (3, 12))

    def default(self, o):
        if isinstance(o, bytes):
            return o.decode()
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(o, decimal.Decimal):
            if o.is_nan():
                return float("nan")
            if self.mark is None:
                self.mark = os.urandom(16).hex()
            return self.mark + str(o)
        return super().default(o)

    def encode(self, o):
        text = super().encode(o)
        if self.mark is not None:
            import re

            text = re.sub('"' + self.mark + '([^"]*)"', r"\1", text)
        return text


def marshal(encoder, result):
    """A handler's result as bytes. Bytes are passed on as they are."""
    if isinstance(result, bytes):
        return result
    try:
        try:
            text = encoder.encode(result)
        except TypeError:
            # Keys of bytes are the one thing that AWS takes and the standard library refuses.
            from _alonzo_plain import plain

            text = encoder.encode(plain(result))
        else:
            if isinstance(result, (dict, list, tuple)) and has_named_tuple(result):
                from _alonzo_plain import plain

                text = encoder.encode(plain(result))
        return text.encode()
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error) from None


LEAVES = frozenset((str, int, float, bool, type(None)))


def has_named_tuple(root):
    """Whether a named tuple is inside: AWS writes it as an object, the standard library does not.

    ``root`` has been encoded before, so it has no cycle.
    """
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            node = node.values()
        elif isinstance(node, tuple) and hasattr(node, "_asdict"):
            return True
        elif not isinstance(node, (list, tuple)):
            continue
        for child in node:
            if type(child) not in LEAVES:
                stack.append(child)
    return False


def unmarshal(event):
    """The event document of a call."""
    try:
        return json.loads(str(event, "utf-8"))
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error) from None


# ---------------------------------------------------------------------------------------- context


class CognitoIdentity:
    """Who called, where a mobile SDK said so."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, fields):
        self.cognito_identity_id = fields.get("cognitoIdentityId")
        self.cognito_identity_pool_id = fields.get("cognitoIdentityPoolId")

    def __repr__(self):
        return _show(self)


class Client:
    """The calling application."""

    __slots__ = (
        "installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"
    )  # fmt: skip

    def __init__(self, fields):
        for name in self.__slots__:
            setattr(self, name, fields.get(name))

    def __repr__(self):
        return _show(self)


class ClientContext:
    """What the caller sent along in ``X-Amz-Client-Context``."""

    __slots__ = ("custom", "env", "client")

    def __init__(self, fields):
        self.custom = fields.get("custom")
        self.env = fields.get("env")
        client = fields.get("client")
        self.client = None if client is None else Client(client)

    def __repr__(self):
        return _show(self)


def _show(value, names=None):
    pairs = ("%s=%s" % (name, getattr(value, name)) for name in names or value.__slots__)
    return "%s([%s])" % (type(value).__name__, ",".join(pairs))


class LambdaContext:
    """The second argument of a handler. Source: Lambda developer guide, Python context object."""

    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")

    def __init__(self, header, log):
        self.aws_request_id = header["id"]
        self.invoked_function_arn = header["arn"]
        self.tenant_id = header.get("tenant")
        self._deadline_ms = header["deadline_ms"]
        self._log = log
        self._w3c = {}
        self.client_context = None
        client_context = _parse(header.get("client_context"), "Client Context")
        if client_context is not None:
            self._w3c = _trace_context(client_context)
            self.client_context = ClientContext(client_context)
        self.identity = CognitoIdentity(_parse(header.get("cognito"), "Cognito Identity") or {})

    def get_remaining_time_in_millis(self):
        """Milliseconds until the function's timeout; 0 once it is past."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def w3c(self):
        """The W3C trace context that came with the call: the fields that are there."""
        return dict(self._w3c)

    def log(self, message):
        """Write one log event, unformatted."""
        self._log.write(str(message))

    def __repr__(self):
        return _show(self, (
            "aws_request_id", "log_group_name", "log_stream_name", "function_name",
            "memory_limit_in_mb", "function_version", "invoked_function_arn", "client_context",
            "identity", "tenant_id",
        ))  # fmt: skip


def _parse(text, what):
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise Fault(
            "Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (what, error)
        ) from None


def _trace_context(client_context):
    fields = client_context.pop("w3c", None)
    if not isinstance(fields, dict):
        return {}
    names = ("traceparent", "tracestate", "baggage")
    return {name: fields[name] for name in names if isinstance(fields.get(name), str)}


# ------------------------------------------------------------------------------------------- logs


class FramedLog:
    """Log events to the descriptor the daemon gave, each whole, with its time and level."""

    end_of_line = "\n"

    def __init__(self, fd):
        self.fd = fd
        self.lock = allocate_lock()

    def write(self, text, kind=0xA55A0003):
        """Write one event; ``kind`` is its frame type, which carries format and level."""
        data = text.encode("utf-8", "backslashreplace")
        head = b"%b%b%b" % (
            kind.to_bytes(4, "big"), len(data).to_bytes(4, "big"),
            (time.time_ns() // 1000).to_bytes(8, "big"),
        )  # fmt: skip
        with self.lock:
            write_all(self.fd, head + data)

    def write_error(self, text, kind):
        """Write an error report."""
        self.write(text, kind)


class PlainLog:
    """Log events to standard output; an event of several lines is kept in one by ``\\r``."""

    end_of_line = "\r"

    def write(self, text, kind=None):
        """Write one event."""
        sys.stdout.write(text)

    def write_error(self, text, kind):
        """Write an error report."""
        sys.stdout.write(text + "\n")


def open_log():
    """The log, as the daemon wants it; the variable that says so is not for the function."""
    fd = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
    if fd is None:
        return PlainLog()
    os.set_inheritable(int(fd), False)
    return FramedLog(int(fd))


class LoggingHook:
    """Sets ``logging`` up at the moment somebody imports it: it costs as much as Python's start."""

    def __init__(self, log):
        self.log = log

    def install(self):
        """Wait for the import; or act now, if it has happened."""
        if "logging" in sys.modules:
            self.configure(sys.modules["logging"])
        else:
            sys.meta_path.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        """Let the others find the module; have its loader call back."""
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        loader = spec.loader
        load = loader.exec_module

        def load_and_configure(module):
            del loader.exec_module
            load(module)
            self.configure(module)

        loader.exec_module = load_and_configure
        return spec

    def configure(self, logging):
        """Give the root logger AWS's handler."""
        from _alonzo_logging import configure

        configure(logging, self.log, Current)


# --------------------------------------------------------------------------------------- the work


def load_handler(name):
    """Import the handler's module and find the handler in it."""
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise Fault(
            "Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, error)
        ) from None
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module %s as a handler module" % module_name,
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault(
            "Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, error)
        ) from None
    except SyntaxError as error:
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '%s': %s" % (module_name, error),
            ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)],
        ) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound",
            "Handler '%s' missing on module '%s'" % (function_name, module_name),
        ) from None


def handle(handler, header, event, encoder, log):
    """Run one call to its end; returns the kind, header and body of the frame that answers it."""
    Current.request_id = header["id"]
    Current.tenant_id = header.get("tenant")
    set_trace(header.get("trace"))
    try:
        context = LambdaContext(header, log)
        result = handler(unmarshal(event), context)
        return RESPONSE, {"id": header["id"]}, marshal(encoder, result)
    except Exception as error:
        from _alonzo_errors import report

        document = report(error, isinstance(error, Fault), header["id"], log, encoder)
        return (
            ERROR,
            {"id": header["id"], "type": document["errorType"]},
            as_body(document, encoder),
        )


def set_trace(trace):
    """Show the call's trace header to the X-Ray SDKs."""
    if trace is not None:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    elif "_X_AMZN_TRACE_ID" in os.environ:
        del os.environ["_X_AMZN_TRACE_ID"]


def as_body(document, encoder):
    """An error document as bytes, whatever its texts hold."""
    return encoder.encode(document).encode("utf-8", "replace")


def initialise(log, encoder):
    """Load the handler. On failure the daemon is told, and the process ends."""
    try:
        return load_handler(os.environ.get("_HANDLER", ""))
    except Exception as error:
        from _alonzo_errors import report, warn_of_failed_init

        warn_of_failed_init()
        document = report(error, isinstance(error, Fault), None, log, encoder)
        send(INIT_ERROR, {"type": document["errorType"]}, as_body(document, encoder))
        flush()
        # Not sys.exit: threads that the broken module has started would keep the process.
        os._exit(1)


def flush():
    """Write out what was printed; a function may have closed or replaced the streams."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def set_search_path():
    """Put the function's code first, then its layers, then us.

    Packages that happen to be installed on the host are left out: what works here must work on
    another host, and on AWS.
    """
    runtime = os.path.dirname(os.path.abspath(__file__))
    layers = "/opt/python"
    installed = tuple(sys.prefix + "/" + name for name in ("lib", "local/lib"))
    sys.path[:] = [
        os.environ.get("LAMBDA_TASK_ROOT", "/var/task"),
        "%s/lib/python%d.%d/site-packages" % ((layers,) + sys.version_info[:2]),
        layers,
        runtime,
    ] + [
        entry
        for entry in sys.path[1:]
        if entry != runtime
        and not (
            entry.startswith(installed) and entry.endswith(("/site-packages", "/dist-packages"))
        )
    ]


def main():
    """Initialise, then serve calls until the daemon goes."""
    os.set_inheritable(CHANNEL_FD, False)
    log = open_log()
    sys.stdout.reconfigure(line_buffering=True)
    sys.stderr.reconfigure(line_buffering=True)
    set_search_path()
    LoggingHook(log).install()
    encoder = Encoder()
    handler = initialise(log, encoder)
    flush()
    send(READY, None)
    process = os.getpid()
    while True:
        call = receive()
        if call is None:
            flush()
            os._exit(0)
        answer = handle(handler, *call, encoder=encoder, log=log)
        flush()
        if os.getpid() != process:
            # A child that the handler forked and let run on: the answer is its parent's to give.
            os._exit(0)
        send(*answer)
        del call, answer

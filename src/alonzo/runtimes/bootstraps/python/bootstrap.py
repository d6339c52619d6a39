"""Runs a Python handler: calls arrive as frames on descriptor 3, results leave the same way.

One source for Python 3.8 and later, standard library only. ``start.py`` runs it. What a plain call
does not need lives in the modules beside this one and is imported when it is needed; ``logging`` is
set up when the function imports it. The frames are described in ``runtimes/framing.py``; the
behaviour is that of AWS's own client, down to the texts of its errors.
"""

import importlib
import os
import sys
import time
from _thread import allocate_lock

from _alonzo_values import Encoder, Fault, LambdaContext, marshal, scan, unmarshal

CHANNEL_FD = 3
#: Where boto3 is, if the host has it.
SDK = "/var/sdk"
#: Where we are, as AWS has it.
RUNTIME = "/var/runtime"
READY, RESPONSE, ERROR, INIT_ERROR = 16, 17, 18, 19
INVOKE, CONFIG = 1, 2

#: So many entries at the head of the search path hold the function's code and its layers.
FOREIGN = 3

#: More than this is written apart from its header, to spare a copy.
JOIN_BYTES_MAX = 1 << 16


#: Writes the headers of frames.
HEADERS = Encoder(ensure_ascii=True)


class Current:
    """Whom the process works for now; the log lines show it."""

    request_id = ""
    tenant_id = None


# ----------------------------------------------------------------------------------- the channel


def receive(kind):
    """The next frame, of that kind: its header, and a view of its body. None: the daemon has gone.

    The daemon sends no second one before this one is answered.
    """
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
    if data[4] != kind or len(data) != total:
        raise RuntimeError("the daemon sent what is no single frame of kind %d" % kind)
    body_at = 7 + int.from_bytes(data[5:7], "big")
    header = scan(str(data[7:body_at], "utf-8"), 0)[0] if body_at > 7 else {}
    return header, memoryview(data)[body_at:]


def send(kind, header, body=b""):
    """Write one frame, however many writes it takes."""
    head = HEADERS.encode(header).encode() if header else b""
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
        body = marshal(encoder, result)
        if not isinstance(body, bytes):
            from _alonzo_streaming import send_pieces

            send_pieces(body, header["id"], send)
            body = b""
        return RESPONSE, {"id": header["id"]}, body
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


def document_of(error, log, encoder):
    """Log an error of init, and answer its document."""
    from _alonzo_errors import report

    return as_body(report(error, isinstance(error, Fault), None, log, encoder), encoder)


def flush():
    """Write out what was printed; a function may have closed or replaced the streams."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def search_path(rest):
    """The function's code first, then its layers, then us, boto3, and ``rest``.

    Packages that happen to be installed on the host are left out: what works here must work on
    another host, and on AWS.
    """
    runtime = os.path.dirname(os.path.abspath(__file__))
    # Where there is no isolation, all of it is below some folder, and we are behind a link.
    shown = os.environ.get("LAMBDA_RUNTIME_DIR", RUNTIME)
    root = shown[: -len(RUNTIME)] if shown.endswith(RUNTIME) else ""
    layers, sdk = root + "/opt/python", root + SDK
    installed = tuple(sys.prefix + "/" + name for name in ("lib", "local/lib"))

    def counts(entry):
        packages = entry.endswith(("/site-packages", "/dist-packages"))
        return entry not in (runtime, shown, sdk) and not (packages and entry.startswith(installed))

    return [
        os.environ.get("LAMBDA_TASK_ROOT", "/var/task"),
        "%s/lib/python%d.%d/site-packages" % ((layers,) + sys.version_info[:2]),
        layers,
        runtime,
        *([sdk] if os.path.isdir(sdk) else []),
        *filter(counts, rest),
    ]


def has_namesake(folders):
    """Whether something in ``folders`` is called like something of the standard library."""
    library = importable(os.path.dirname(os.__file__)) - {"__pycache__", "test"}
    return any(not library.isdisjoint(importable(folder)) for folder in folders)


def importable(folder):
    """The names of the modules in a folder, and of folders that may be packages."""
    try:
        names = os.listdir(folder)
    except OSError:
        return set()
    return {name[:-3] if name.endswith(".py") else name for name in names}


def main():
    """Initialise, then serve calls until the daemon goes. The variables are the function's."""
    # The first entry is the folder of the program that was executed.
    path = search_path(sys.path[1:])
    if has_namesake(path[:FOREIGN]):
        # It could stand in for a module that is not imported yet, and that on AWS would be.
        from _alonzo_ahead import import_ahead

        import_ahead()
    sys.path[:] = path
    serve()


def serve():
    """The same, once the modules are found in their places."""
    os.set_inheritable(CHANNEL_FD, False)
    forked = os.environ.pop("_ALONZO_SNAPSHOT", None) is not None
    restored = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
    log = open_log()
    sys.stdout.reconfigure(line_buffering=True)
    sys.stderr.reconfigure(line_buffering=True)
    LambdaContext.learn(os.environ)
    LoggingHook(log).install()
    encoder = Encoder()
    handler = initialise(log, encoder)
    flush()
    if restored:
        from _alonzo_snapshot import Template, be_prepared, be_template

        halt = be_template if forked else be_prepared
        halt(Template(send, receive, flush, lambda error: document_of(error, log, encoder)))
    send(READY, None)
    process = os.getpid()
    while True:
        call = receive(INVOKE)
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

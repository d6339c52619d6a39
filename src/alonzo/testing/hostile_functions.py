"""Functions that take all they can get, and what each must come to. See ``test_attacks.py``."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

SECRET = "planted-" + os.urandom(8).hex()

#: How an attack on memory may end: killed, or refused by the interpreter or the kernel.
OUT_OF_MEMORY = ("Runtime.OutOfMemory",)
TIMED_OUT = ("Sandbox.Timedout",)


@dataclasses.dataclass(frozen=True)
class Hostile:
    """One function: what it is made of, and either the errors it may end in, or its answer."""

    source: str
    error_types: tuple[str, ...] = ()
    is_contained: Callable[[Any], bool] = bool
    configuration: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])


def function(
    body: str,
    *error_types: str,
    contained: Callable[[Any], bool] = bool,
    **configuration: Any,
) -> Hostile:
    """The body is indented into a handler; what it defines at the left edge stays there."""
    settings = {"Timeout": 30, "MemorySize": 256, **configuration}
    return Hostile(PRELUDE + body, error_types, contained, settings)


PRELUDE = """
import ctypes, errno, fcntl, json, mmap, os, resource, select, signal, socket, struct, sys
import threading, time
libc = ctypes.CDLL(None, use_errno=True)

def until_refused(make, most=100_000):
    made = []
    try:
        while len(made) < most:
            made.append(make())
    except (OSError, RuntimeError, MemoryError) as error:
        return len(made), type(error).__name__, getattr(error, "errno", None)
    return len(made), "never", None
"""

#: Looks around: what it is, what it sees, and where in ``/proc`` the daemon's secret is.
LOOK_AROUND = """
import os

def found_in(root, secret):
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            try:
                # Without waiting: an ordinary user may open its own pipes here, which are empty.
                fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                try:
                    if secret in os.read(fd, 1 << 20): yield path
                finally:
                    os.close(fd)
            except OSError:
                pass

def handler(event, context):
    status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    # Turned round, so that this process does not hold what it looks for.
    secret = event[::-1].encode()
    return {
        "ids": sorted({os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups()}),
        "capabilities": [status["Cap" + n].strip() for n in ("Inh", "Prm", "Eff", "Bnd", "Amb")],
        "no_new_privs": status["NoNewPrivs"].strip(), "seccomp": status["Seccomp"].strip(),
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "tmp": os.listdir("/tmp"), "root": os.listdir("/"),
        "mounts": open("/proc/self/mountinfo").read(),
        "secret": [*found_in("/proc", secret), *found_in("/tmp", secret)],
    }
"""

#: What the kernel limits, with other means for an ordinary user than for root.
AGAINST_LIMITS: dict[str, Hostile] = {
    # -- memory -----------------------------------------------------------------------------------
    "memory": function(
        """
def handler(event, context):
    kept = []
    while True: kept.append(bytearray(b"x" * (8 << 20)))
""",
        *OUT_OF_MEMORY,
    ),
    "memory of many children": function(
        """
def handler(event, context):
    for _ in range(16):
        if os.fork() == 0:
            kept = bytearray(b"x" * (64 << 20)); time.sleep(60)
    time.sleep(60)
""",
        *OUT_OF_MEMORY,
    ),
    "memory shared between processes": function(
        """
def handler(event, context):
    shared = mmap.mmap(-1, 1 << 30)
    for _ in range(1 << 10): shared.write(b"x" * (1 << 20))
    time.sleep(60)
""",
        *OUT_OF_MEMORY,
    ),
    "memory files": function(
        """
def handler(event, context):
    try:
        fd = os.memfd_create("x")
        for _ in range(1 << 10): os.write(fd, b"x" * (1 << 20))
    except OSError as error:
        return errno.errorcode[error.errno]
""",
        contained=lambda answer: (
            answer in ("EPERM", "ENOSYS", "EACCES")
            or answer.get("errorType") == "Runtime.OutOfMemory"
        ),
    ),
    # -- processes --------------------------------------------------------------------------------
    "a fork bomb": function(
        """
def child():
    if os.fork() == 0: time.sleep(600)
def handler(event, context): return until_refused(child)
""",
        MemorySize=1024,
        contained=lambda answer: answer[0] <= 1024 and answer[2] == 11,
    ),
    "a fork bomb that keeps exploding": function(
        """
def handler(event, context):
    while True:
        try: os.fork()
        except OSError: time.sleep(0.2)
""",
        *TIMED_OUT,
        "Runtime.OutOfMemory",
        "Runtime.ExitError",
        Timeout=1,
    ),
    "a bomb of threads": function(
        """
def thread():
    it = threading.Thread(target=time.sleep, args=(600,), daemon=True); it.start(); return it
threading.stack_size(64 << 10)
def handler(event, context): return until_refused(thread)
""",
        MemorySize=1024,
        contained=lambda answer: answer[0] <= 1024 and answer[1] in ("RuntimeError", "MemoryError"),
    ),
    "a storm of zombies": function(
        """
def zombie():
    if os.fork() == 0: os._exit(0)
def handler(event, context): return until_refused(zombie)
""",
        MemorySize=1024,
        contained=lambda answer: answer[0] <= 1024 and answer[2] == 11,
    ),
    "a storm of orphans": function(
        """
def handler(event, context):
    end, made = time.monotonic() + 1, 0
    while time.monotonic() < end:
        try:
            if (child := os.fork()) == 0:
                for _ in range(4):
                    if os.fork() == 0: os.setsid(); os._exit(0)
                os._exit(0)
            os.waitpid(child, 0); made += 1
        except OSError: pass
    return made
""",
    ),
    "the end of everybody": function(
        """
def handler(event, context):
    for pid in (-1, 1, os.getppid()):
        try: os.kill(pid, 9)
        except OSError: pass
    os.killpg(0, 9)
""",
        "Runtime.ExitError",
    ),
    "standing still": function(
        """
def handler(event, context): os.kill(os.getpid(), signal.SIGSTOP)
""",
        *TIMED_OUT,
        Timeout=1,
    ),
    "pid 1 brought low": function(
        """
def handler(event, context):
    limits = (resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_CPU)
    harm = [lambda it=it: resource.prlimit(1, it, (1, 1)) for it in limits]
    harm += [lambda it=it: os.kill(1, it) for it in (17, 14, 13) * 5000]
    for each in (lambda: os.setpriority(0, 1, 19), *harm):
        try: each()
        except OSError: pass
    return "done"
""",
    ),
    # -- /tmp and descriptors ---------------------------------------------------------------------
    "a full /tmp": function(
        """
def handler(event, context):
    with open("/tmp/x", "wb", 0) as file:
        try:
            while True: file.write(b"x" * (1 << 20))
        except OSError as error:
            full = errno.errorcode[error.errno], file.tell() >> 20
    # Programs have the memory that they were promised all the same.
    kept = bytearray(b"x" * (16 << 20))
    return full
""",
        MemorySize=128,
        contained=lambda answer: answer[0] == "ENOSPC" and 480 <= answer[1] <= 512,
    ),
    "folders without a bottom": function(
        """
def deeper(): os.mkdir("d"); os.chdir("d")
def handler(event, context):
    os.chdir("/tmp"); return until_refused(deeper, 8_000)
""",
    ),
    "descriptors": function(
        """
def handler(event, context):
    return [until_refused(make) for make in
            (lambda: open("/dev/null"), lambda: socket.socket(), lambda: os.pipe())]
""",
        contained=lambda answer: all(n <= 1024 and code == 24 for n, _, code in answer),
    ),
    "descriptors of many processes": function(
        """
def child():
    if os.fork() == 0:
        until_refused(lambda: os.open("/dev/null", 0)); time.sleep(600)
def handler(event, context): return until_refused(child, 30)
""",
        MemorySize=1024,
        Timeout=30,
        contained=lambda answer: answer[0] <= 30,
    ),
    "descriptors in flight": function(
        """
def handler(event, context):
    kept, here = [], os.open("/dev/null", 0)
    def send():
        a, b = socket.socketpair(); a.setblocking(False); kept.extend((a, b))
        for _ in range(16): socket.send_fds(a, [b"x"], [here] * 250)
    return until_refused(send)
""",
        contained=lambda answer: answer[0] <= 1024 and answer[1] != "never",
    ),
    # -- what files and users share ---------------------------------------------------------------
    "a lease on its own code": function(
        """
def handler(event, context):
    fcntl.fcntl(os.open("/var/task/handler.py", 0), fcntl.F_SETLEASE, fcntl.F_RDLCK)
""",
        "PermissionError",
    ),
    "message queues": function(
        """
def handler(event, context):
    name, number = ctypes.create_string_buffer(b"x"), {"x86_64": 240, "aarch64": 180}
    opened = libc.syscall(number[os.uname().machine], name, os.O_CREAT | os.O_RDWR, 0o600, None)
    return "opened" if opened >= 0 else errno.errorcode[ctypes.get_errno()]
""",
        contained=lambda answer: answer in ("opened", "EPERM"),
    ),
    # -- processor --------------------------------------------------------------------------------
    "burning the processor": function(
        """
def handler(event, context):
    for _ in range(16):
        if os.fork() == 0: break
    while True: pass
""",
        *TIMED_OUT,
        Timeout=1,
        MemorySize=128,
    ),
}

#: What the daemon itself reads: the same code for whoever runs it.
AGAINST_THE_DAEMON: dict[str, Hostile] = {
    # -- output -----------------------------------------------------------------------------------
    "a flood of log lines": function(
        """
def handler(event, context):
    while True: os.write(1, b"x\\n" * 30000)
""",
        *TIMED_OUT,
        Timeout=1,
    ),
    "a log line without an end": function(
        """
def handler(event, context):
    while True: os.write(2, bytes(65536))
""",
        *TIMED_OUT,
        Timeout=1,
    ),
    "a result that is too large": function(
        """
def handler(event, context): return "x" * (96 << 20)
""",
        "Function.ResponseSizeTooLarge",
        "Runtime.OutOfMemory",
        MemorySize=1024,
    ),
    "an error that is too large": function(
        """
def handler(event, context): raise ValueError("x" * (16 << 20))
""",
        "ValueError",
        "Function.ResponseSizeTooLarge",
        "Runtime.OutOfMemory",
        MemorySize=1024,
    ),
}

#: Finds the framed channel to the daemon, and speaks on it in the runtime's place.
CHANNEL = """
def _channel():
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + name).startswith("socket:"): return int(name)
        except OSError: pass
CHANNEL = _channel()
def frame(kind, head, body, length=None):
    return struct.pack(">IBH", 3 + len(head) + len(body) if length is None else length,
                       kind, len(head)) + head + body
"""
_BROKEN = ("Runtime.ExitError", "Sandbox.Timedout", "Runtime.InvalidResponse", "Runtime.Unknown")


def on_the_channel(body: str, *error_types: str) -> Hostile:
    """A function that speaks to the daemon in place of its runtime."""
    return function(CHANNEL + body, *(error_types or _BROKEN), Timeout=1)


AGAINST_THE_DAEMON["a result nested without end"] = on_the_channel(
    """
def handler(event, context):
    os.write(CHANNEL, frame(17, b'{"id":' + b"[" * 60000, b"")); time.sleep(60)
"""
)
AGAINST_THE_DAEMON["nonsense on the channel"] = on_the_channel(
    """
def handler(event, context):
    while True: os.write(CHANNEL, os.urandom(4096))
"""
)
AGAINST_THE_DAEMON["a frame of four gigabytes"] = on_the_channel(
    """
def handler(event, context):
    os.write(CHANNEL, frame(17, b'{"id":"x"}', b"", (1 << 32) - 1))
    while True: os.write(CHANNEL, bytes(1 << 16))
"""
)
AGAINST_THE_DAEMON["frames of every kind without end"] = on_the_channel(
    """
def handler(event, context):
    ours = json.dumps({"id": context.aws_request_id, "type": "x" * 30000}).encode()
    while True:
        for kind in (1, 2, 16, 18, 19, 200): os.write(CHANNEL, frame(kind, ours, b"{}"))
""",
    *_BROKEN,
    "x" * 30000,
)
AGAINST_THE_DAEMON["results for others"] = on_the_channel(
    """
def handler(event, context):
    for n in range(20000): os.write(CHANNEL, frame(17, b'{"id":"%d"}' % n, b'"stolen"'))
    time.sleep(60)
"""
)
AGAINST_THE_DAEMON["a channel cut off"] = on_the_channel(
    """
def handler(event, context):
    socket.socket(fileno=CHANNEL).shutdown(socket.SHUT_RDWR); time.sleep(60)
"""
)

#: Asks of the Runtime API, which every function finds on its loopback.
_API = """
def connect():
    return socket.create_connection(("127.0.0.1", 9001), 2)
def ask(text, answer=True):
    with connect() as peer:
        peer.sendall(text); return peer.recv(200).decode(errors="replace") if answer else ""
PATH = b"/2018-06-01/runtime/"
"""

AGAINST_THE_DAEMON["the Runtime API of another's invocation"] = function(
    _API
    + """
def handler(event, context):
    made = []
    for way in (b"response", b"error"):
        for request in (b"x", b"../next", b"0" * 36, b"%00", b"a" * 4000):
            head = b" HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\n"
            where = PATH + b"invocation/" + request + b"/" + way
            try: made.append(ask(b"POST " + where + head + b"{}")[9:12])
            except OSError: made.append("cut")
    return made
""",
    contained=lambda answer: all(code in ("", "cut") or code[0] == "4" for code in answer),
)
AGAINST_THE_DAEMON["the Runtime API flooded"] = function(
    _API
    + """
def flood():
    while True:
        try: ask(b"GET " + PATH + b"nothing HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        except OSError: pass
def handler(event, context):
    for _ in range(16): threading.Thread(target=flood, daemon=True).start()
    time.sleep(1); return "flooded"
""",
)
AGAINST_THE_DAEMON["a body poured into the Runtime API"] = function(
    _API
    + """
def handler(event, context):
    peer = connect()
    head = b"init/error HTTP/1.1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
    peer.sendall(b"POST " + PATH + head)
    poured = 0
    try:
        while poured < 256 << 20:
            peer.sendall(b"10000\\r\\n" + bytes(65536) + b"\\r\\n"); poured += 65536
    except OSError: pass
    return [poured]
""",
)
AGAINST_THE_DAEMON["connections to the Runtime API that stay"] = function(
    _API
    + """
def handler(event, context):
    def stay():
        peer = connect(); peer.sendall(b"POST / HTTP/1.1\\r\\nX: "); return peer
    return until_refused(stay, 900)
""",
)
AGAINST_THE_DAEMON["the platform's endpoint flooded from inside"] = function(
    """
from urllib.parse import urlsplit
def handler(event, context):
    where = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    address = (where.hostname, where.port)
    end = time.monotonic() + 1
    def flood():
        while time.monotonic() < end:
            try:
                with socket.create_connection(address, 2) as peer:
                    peer.sendall(b"POST / HTTP/1.1\\r\\nContent-Length: 99999999\\r\\n\\r\\n")
                    for _ in range(200): peer.sendall(bytes(65536))
            except OSError: pass
    kept = until_refused(lambda: socket.create_connection(address, 0.2), 200)
    threads = [threading.Thread(target=flood) for _ in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]
    return kept
""",
)

#: An external extension that registers, and then forks and writes without end.
EXTENSION = """#!/usr/bin/python3
import json, os, threading, time, urllib.request
BASE = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/"
def call(path, body=None, **headers):
    headers = {"Lambda-Extension-" + name: text for name, text in headers.items()}
    return urllib.request.urlopen(urllib.request.Request(BASE + path, body, headers))
with call("register", b'{"events": ["INVOKE"]}', Name="bad") as answer:
    identifier = answer.headers["Lambda-Extension-Identifier"]
def shout():
    while True: os.write(1, b"x" * 60000 + b"\\n")
threading.Thread(target=shout, daemon=True).start()
call("event/next", Identifier=identifier).close()
while True:
    try:
        if os.fork() == 0: time.sleep(600)
    except OSError: time.sleep(0.2)
"""

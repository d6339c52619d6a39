"""Halts a function that has initialised where a snapshot of it is taken, until it is restored.

``be_prepared()`` comes back in the same process, once. ``be_template()`` does not: it comes back in
forks of the process, again and again, that are in a sandbox of their own by then, with channel, log
and variables of their own, and with nothing in them that must not be the same twice.

A fork enters its sandbox under escort: between its first ``setns`` and its last ``setresuid`` any
other system call is its end (``sandbox/backends/namespaces/inside/escort.py``).
"""

import array
import ctypes
import gc
import io
import json
import os
import socket
import sys
import threading
import warnings

#: Where the platform asks for forks.
FORKS_FD = 5
#: The channel, the log and the standard streams; each fork gets its own.
OURS = frozenset(range(FORKS_FD + 1))

READY, INIT_ERROR, CONFIG = 16, 19, 2
NAMESPACES = 7
PR_SET_DUMPABLE = 4
#: Descriptors are parked from here on while they are put in order.
PARKED_FROM = 256
MESSAGE_BYTES_MAX = 1 << 16
DESCRIPTORS_MAX = 64

TMP = "/tmp"
#: Files in /tmp are part of a snapshot up to this size together.
TMP_BYTES_MAX = 256 << 20


class Template:
    """What the bootstrap hands over. ``error`` makes a document of an exception and logs it."""

    def __init__(self, send, receive, flush, error):
        self.send = send
        self.receive = receive
        self.flush = flush
        self.error = error

    def fail(self, error, kind, status):
        """Tell the platform that a hook has failed, and end."""
        document = self.error(error)
        self.send(INIT_ERROR, {"type": kind}, document)
        self.flush()
        os._exit(status)


def be_prepared(template):
    """Wait, and come back restored."""
    _halt(template)
    gc.collect()
    template.flush()
    template.send(READY, None)
    _restore(template)


def _halt(template):
    """The last of init."""
    try:
        _run_hooks("get_before_snapshot")
    except BaseException as error:
        template.fail(error, "Runtime.BeforeSnapshotError", 64)


def be_template(template):
    """Take the snapshot; come back in each restored fork."""
    _halt(template)
    _warn()
    files = _pack_tmp()
    libc = ctypes.CDLL(None, use_errno=True)
    forks = socket.socket(fileno=FORKS_FD)
    os.set_inheritable(FORKS_FD, False)
    folder = os.getcwd()
    gc.collect()
    gc.freeze()
    template.flush()
    template.send(READY, None)
    _serve(forks, libc)
    forks.detach()
    _unpack_tmp(files)
    # Who enters other mounts is at their root; the folder may be one that was in /tmp.
    os.chdir(folder)
    _restore(template)


def _restore(template):
    """Wait to be told whose it is, where it belongs; what a fork must not share is new in it.

    It may wait long before it is needed, and takes what does no harm to that time.
    """
    reseed()
    config = template.receive(CONFIG)
    if config is None:
        os._exit(0)
    variables = json.loads(str(config[1], "utf-8"))
    variables.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
    os.environ.update(variables)
    try:
        _run_hooks("get_after_restore")
    except BaseException as error:
        template.fail(error, "Runtime.AfterRestoreError", 65)


# ------------------------------------------------------------------------------------- uniqueness


def reseed():
    """Give every generator that the platform knows of a new seed.

    The seed of ``hash()`` is one for all forks, as it is for all restores of one snapshot on AWS.
    """
    modules = sys.modules
    if "random" in modules:
        modules["random"].seed()
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "ssl" in modules or "_ssl" in modules:
        # OpenSSL goes by the process id, which is the same in each fork.
        import ssl

        ssl.RAND_add(os.urandom(48), 48.0)
    if "tempfile" in modules:
        modules["tempfile"]._name_sequence = None


# ------------------------------------------------------------------------------------------ hooks


def _run_hooks(which):
    hooks = sys.modules.get("snapshot_restore_py")
    for function, args, kwargs in list(getattr(hooks, which)()) if hooks else ():
        function(*args, **kwargs)


def _warn():
    """Log what a fork will not have, or will share."""
    found = _threads()
    if found:
        _log("threads", "%s: a restored environment has the main thread only" % ", ".join(found))
    found = _descriptors()
    if found:
        _log(
            "open files and connections",
            "%s: restored environments share them; open them in the handler, or again after "
            "the restore" % ", ".join(found),
        )


def _log(what, text):
    import logging

    logging.getLogger().warning("SnapStart: the snapshot holds %s: %s.", what, text)


def _threads():
    count = len(os.listdir("/proc/self/task")) - 1
    names = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    unnamed = count - len(names)
    return names[:16] + (["%d of a library" % unnamed] if unnamed > 0 else [])


def _descriptors():
    found = []
    for name in os.listdir("/proc/self/fd"):
        if int(name) in OURS:
            continue
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except OSError:  # that of the listing itself
            continue
        # A device has no state, and every process may read random numbers.
        if not target.startswith("/dev/"):
            found.append(target)
    return found[:16]


# ------------------------------------------------------------------------------------------- /tmp


def _pack_tmp():
    """The files in /tmp: each environment has its own. None, if there are none or too many."""
    if not os.listdir(TMP):
        return None
    import tarfile

    used = os.statvfs(TMP)
    if (used.f_blocks - used.f_bfree) * used.f_frsize > TMP_BYTES_MAX:
        _log("files in /tmp", "they are too large; restored environments do not have them")
        return None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(TMP, arcname=".")
    return buffer.getvalue()


def _unpack_tmp(files):
    if files is None:
        return
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(files)) as archive:
        members = [member for member in archive.getmembers() if member.name != "."]
        # What this very process has packed.
        archive.extractall(TMP, members, filter="fully_trusted")


# ------------------------------------------------------------------------------------------ forks


def _serve(forks, libc):
    """Fork whenever the platform asks; come back in the forks."""
    space = socket.CMSG_SPACE(DESCRIPTORS_MAX * array.array("i").itemsize)
    while True:
        data, ancillary, _, _ = forks.recvmsg(MESSAGE_BYTES_MAX, space, socket.MSG_CMSG_CLOEXEC)
        if not data:
            os._exit(0)
        passed = array.array("i")
        for _, _, payload in ancillary:
            passed.frombytes(payload)
        order = json.loads(data)
        pid = _fork()
        if pid == 0:
            _enter(order, list(passed), libc)
            return
        for descriptor in passed:
            os.close(descriptor)
        forks.send(b'{"pid":%d}' % pid)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass  # The function ignores its children, or has waited for it.


def _fork():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: they have been warned of
        return os.fork()


def _enter(order, passed, libc):
    """Go into another sandbox, by way of one more fork: only that is in its pid namespace."""
    gate, namespaces = passed[0], passed[1 : 1 + NAMESPACES]
    own = passed[1 + NAMESPACES :]
    uid = order["uid"]
    os.read(gate, 1)
    for namespace in namespaces:
        if libc.setns(namespace, 0):
            os._exit(1)
    if libc.setresgid(uid, uid, uid) or libc.setresuid(0, 0, 0) or libc.setresuid(uid, uid, uid):
        os._exit(1)
    if _fork():
        os._exit(0)
    # The change of user closed the process to itself.
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.setsid()
    _arrange(dict(zip(order["fds"], own, strict=True)), passed)


def _arrange(wanted, passed):
    """Put descriptors at the numbers in ``wanted``, over what is there; close those passed."""
    import fcntl

    parked = {
        number: fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, PARKED_FROM)
        for number, source in wanted.items()
    }
    for descriptor in passed:
        os.close(descriptor)
    for number, source in parked.items():
        os.dup2(source, number, number in (1, 2))
        os.close(source)
    os.close(FORKS_FD)

"""The system-call filter of every process in a sandbox, as a classic BPF program. Pure.

* A program of another architecture (32-bit, x32) is killed: its call numbers mean other things.
* Everything is allowed but the deny list below, which answers ``EPERM``: what reaches past the
  namespaces, changes the machine, or has a record of kernel holes and no use in a function.
* ``clone`` with a namespace flag: ``EPERM``. ``clone3`` hides its flags behind a pointer, so it
  answers ``ENOSYS`` and libc falls back to ``clone``.
* ``socket`` of any family but Unix, IPv4, IPv6 and routing netlink: ``EAFNOSUPPORT``. Of IPv4 and
  IPv6 TCP and UDP alone: the kernel would load modules for others, on anybody's word.
* Memory of huge pages, which the host has set apart and no cgroup counts: ``ENOMEM``.
* The limit on core dumps stays as it is, and who changes it is told that it was done: a limit of 0
  would have the host's collector of dumps, a program outside of every sandbox, see each crash.
* ``ioctl`` that types into a terminal: ``EPERM``.
* ``fcntl`` that takes a lease: ``EPERM``. An ordinary user's functions are the owner of files that
  they see, and a lease holds up whoever opens one to write.
* Where no cgroup counts memory, what makes memory that no process need have mapped: ``EPERM``.
* In a template ``setns`` is left to a tracer (``inside/escort.py``): ``ENOSYS`` where there is
  none, and no filtered process can become one. Nor can it have itself told of orphans' ends.

Numbers: ``arch/x86/entry/syscalls/syscall_64.tbl`` and ``include/uapi/asm-generic/unistd.h``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

ALLOW = 0x7FFF0000
KILL = 0x80000000
_ERRNO = 0x00050000
EPERM = _ERRNO | 1
ENOSYS = _ERRNO | 38
ENOMEM = _ERRNO | 12
EPROTONOSUPPORT = _ERRNO | 93
EAFNOSUPPORT = _ERRNO | 97
#: The call is not made, and its caller told that it was.
IGNORE = _ERRNO | 0
TRACE = 0x7FF00000

#: Calls whose numbers are the same everywhere.
_DENIED_EVERYWHERE = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "open_tree_attr": 467,
}

_DENIED_X86_64 = {
    "ptrace": 101,
    "syslog": 103,
    "uselib": 134,
    "personality": 135,
    "ustat": 136,
    "sysfs": 139,
    "vhangup": 153,
    "modify_ldt": 154,
    "pivot_root": 155,
    "_sysctl": 156,
    "chroot": 161,
    "acct": 163,
    "settimeofday": 164,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "create_module": 174,
    "init_module": 175,
    "delete_module": 176,
    "get_kernel_syms": 177,
    "query_module": 178,
    "quotactl": 179,
    "nfsservctl": 180,
    "lookup_dcookie": 212,
    "clock_settime": 227,
    "mbind": 237,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "migrate_pages": 256,
    "unshare": 272,
    "move_pages": 279,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "clock_adjtime": 305,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "finit_module": 313,
    "kexec_file_load": 320,
    "bpf": 321,
    "userfaultfd": 323,
}

_DENIED_AARCH64 = {
    "lookup_dcookie": 18,
    "umount2": 39,
    "mount": 40,
    "pivot_root": 41,
    "nfsservctl": 42,
    "chroot": 51,
    "vhangup": 58,
    "quotactl": 60,
    "acct": 89,
    "personality": 92,
    "unshare": 97,
    "kexec_load": 104,
    "init_module": 105,
    "delete_module": 106,
    "clock_settime": 112,
    "syslog": 116,
    "ptrace": 117,
    "reboot": 142,
    "sethostname": 161,
    "setdomainname": 162,
    "settimeofday": 170,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "swapon": 224,
    "swapoff": 225,
    "mbind": 235,
    "migrate_pages": 238,
    "move_pages": 239,
    "perf_event_open": 241,
    "fanotify_init": 262,
    "name_to_handle_at": 264,
    "open_by_handle_at": 265,
    "clock_adjtime": 266,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "kcmp": 272,
    "finit_module": 273,
    "bpf": 280,
    "userfaultfd": 282,
    "kexec_file_load": 294,
}

#: Memory files, System V shared memory, and message queues of both kinds.
_UNCOUNTED = {
    "x86_64": {
        "shmget": 29,
        "msgget": 68,
        "mq_open": 240,
        "memfd_create": 319,
        "memfd_secret": 447,
    },
    "aarch64": {
        "mq_open": 180,
        "msgget": 186,
        "shmget": 194,
        "memfd_create": 279,
        "memfd_secret": 447,
    },
}

_CLONE3 = 435
_NAMESPACE_FLAGS = 0x7E020000
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE = 0
_ANY_PROTOCOL, _TCP, _UDP = 0, 6, 17
_MAP_HUGETLB, _MFD_HUGETLB = 0x40000, 0x4
_RLIMIT_CORE = 4
_F_SETLEASE = 1024
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Machine:
    """What the filter must know of an architecture. ``audit`` is its ``AUDIT_ARCH_…``."""

    audit: int
    clone: int
    socket: int
    ioctl: int
    fcntl: int
    prctl: int
    mmap: int
    memfd_create: int
    setrlimit: int
    prlimit: int
    denied: dict[str, int]
    #: From here on numbers belong to another calling convention of the same architecture.
    numbers_end: int | None = None


#: The architectures that we know, by ``platform.machine()``.
MACHINES = {
    "x86_64": Machine(
        audit=0xC000003E,
        clone=56,
        socket=41,
        ioctl=16,
        fcntl=72,
        prctl=157,
        mmap=9,
        memfd_create=319,
        setrlimit=160,
        prlimit=302,
        denied=_DENIED_X86_64 | _DENIED_EVERYWHERE,
        numbers_end=0x40000000,
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        clone=220,
        socket=198,
        ioctl=29,
        fcntl=25,
        prctl=167,
        mmap=222,
        memfd_create=279,
        setrlimit=164,
        prlimit=261,
        denied=_DENIED_AARCH64 | _DENIED_EVERYWHERE,
    ),
}

# Offsets in struct seccomp_data. Both machines are little-endian: an argument's low half is first.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


def _load(offset: int) -> bytes:
    return struct.pack("<HBBI", _LOAD, 0, 0, offset)


def _load_argument(index: int) -> bytes:
    return _load(_ARGUMENTS + 8 * index)


def _answer(action: int) -> bytes:
    return struct.pack("<HBBI", _RETURN, 0, 0, action)


def _when(test: int, value: int, then: list[bytes]) -> list[bytes]:
    """Run ``then`` (which must answer) if the test of the loaded word holds, else go on."""
    return [struct.pack("<HBBI", test, 0, len(then), value), *then]


def build(machine: str, *, memory_counted: bool = True, template: bool = False) -> bytes:
    """The filter for ``machine`` (as ``platform.machine()`` names it), 8 bytes an instruction.

    ``memory_counted``: a cgroup counts all memory, not only what processes map. ``template``: it is
    for a process whose forks may enter other namespaces under escort.

    Raises:
        KeyError: we have no table for that machine.
    """
    facts = MACHINES[machine]
    code = [
        _load(_ARCHITECTURE),
        struct.pack("<HBBI", _EQUAL, 1, 0, facts.audit),
        _answer(KILL),
        _load(_NUMBER),
    ]
    if facts.numbers_end is not None:
        code += _when(_AT_LEAST, facts.numbers_end, [_answer(KILL)])
    code += _when(_EQUAL, _CLONE3, [_answer(ENOSYS)])
    code += _when(_EQUAL, facts.clone, _clone_rules())
    code += _when(_EQUAL, facts.socket, _socket_rules())
    code += _when(_EQUAL, facts.ioctl, _ioctl_rules())
    code += _when(_EQUAL, facts.fcntl, _fcntl_rules())
    code += _when(_EQUAL, facts.mmap, _flag_rules(3, _MAP_HUGETLB, ENOMEM))
    code += _when(_EQUAL, facts.setrlimit, _setrlimit_rules())
    code += _when(_EQUAL, facts.prlimit, _prlimit_rules())
    if memory_counted:
        code += _when(_EQUAL, facts.memfd_create, _flag_rules(1, _MFD_HUGETLB, ENOMEM))
    if template:
        code += _when(_EQUAL, facts.denied["setns"], [_answer(TRACE)])
        code += _when(_EQUAL, facts.prctl, _prctl_rules())
    uncounted = {} if memory_counted else _UNCOUNTED[machine]
    numbers = sorted({**facts.denied, **uncounted}.values())
    for index, number in enumerate(numbers):
        # Jump over the rest of the list and the final "allow".
        code.append(struct.pack("<HBBI", _EQUAL, len(numbers) - index, 0, number))
    return b"".join([*code, _answer(ALLOW), _answer(EPERM)])


def _clone_rules() -> list[bytes]:
    return [
        _load_argument(0),
        *_when(_ANY_BIT, _NAMESPACE_FLAGS, [_answer(EPERM)]),
        _answer(ALLOW),
    ]


def _socket_rules() -> list[bytes]:
    internet = [_load_argument(2)]
    for protocol in (_ANY_PROTOCOL, _TCP, _UDP):
        internet += _when(_EQUAL, protocol, [_answer(ALLOW)])
    internet.append(_answer(EPROTONOSUPPORT))
    rules = [_load_argument(0), *_when(_EQUAL, _AF_UNIX, [_answer(ALLOW)])]
    for family in (_AF_INET, _AF_INET6):
        rules += _when(_EQUAL, family, internet)
    netlink = [
        _load_argument(2),
        *_when(_EQUAL, _NETLINK_ROUTE, [_answer(ALLOW)]),
        _answer(EAFNOSUPPORT),
    ]
    return [*rules, *_when(_EQUAL, _AF_NETLINK, netlink), _answer(EAFNOSUPPORT)]


def _flag_rules(argument: int, flag: int, answer: int) -> list[bytes]:
    return [
        _load_argument(argument),
        *_when(_ANY_BIT, flag, [_answer(answer)]),
        _answer(ALLOW),
    ]


def _setrlimit_rules() -> list[bytes]:
    return [
        _load_argument(0),
        *_when(_EQUAL, _RLIMIT_CORE, [_answer(IGNORE)]),
        _answer(ALLOW),
    ]


def _prlimit_rules() -> list[bytes]:
    """To ask for a limit, without a new one, is allowed."""
    given = _when(_AT_LEAST, 1, [_answer(IGNORE)])
    core = [_load_argument(2), *given, _load(_ARGUMENTS + 8 * 2 + 4), *given, _answer(ALLOW)]
    return [_load_argument(1), *_when(_EQUAL, _RLIMIT_CORE, core), _answer(ALLOW)]


def _prctl_rules() -> list[bytes]:
    """Nobody but pid 1 is to be told of the end of forks."""
    return [
        _load_argument(0),
        *_when(_EQUAL, _PR_SET_CHILD_SUBREAPER, [_answer(EPERM)]),
        _answer(ALLOW),
    ]


def _ioctl_rules() -> list[bytes]:
    rules = [_load_argument(1)]
    for request in (_TIOCSTI, _TIOCLINUX):
        rules += _when(_EQUAL, request, [_answer(EPERM)])
    return [*rules, _answer(ALLOW)]


def _fcntl_rules() -> list[bytes]:
    return [
        _load_argument(1),
        *_when(_EQUAL, _F_SETLEASE, [_answer(EPERM)]),
        _answer(ALLOW),
    ]

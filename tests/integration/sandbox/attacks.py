"""Runs inside a sandbox and tries to get out, by every road we know. Prints what came of each.

``argv[1]`` is a JSON object with what the host planted for it to find.
"""

import ctypes
import json
import os
import platform
import resource
import signal
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
ARM = platform.machine() == "aarch64"
NEWUSER = 0x10000000


class Refused(Exception):
    pass


def call(x86, arm, *arguments):
    """A raw system call; an error number is a refusal."""
    native = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(arm if ARM else x86), *native)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def connect(family, address):
    with socket.socket(family) as peer:
        peer.settimeout(1)
        peer.connect(address)
    return "connected"


def read(path):
    with open(path, "rb") as file:
        text = file.read(4096)
    if not text:
        raise Refused("empty")
    return text[:80].decode(errors="replace")


def write(path, text="1"):
    with open(path, "w") as file:
        if os.fstat(file.fileno()).st_rdev == os.stat("/dev/null").st_rdev:
            raise Refused("hidden behind /dev/null")
        file.write(text)
    return "written"


def lines_of(path):
    with open(path) as file:
        return file.read().splitlines()


def listed(path):
    names = os.listdir(path)
    if not names:
        raise Refused("empty")
    return names[:5]


def raw_socket(*arguments):
    socket.socket(*arguments).close()
    return "opened"


def other_processes():
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    others = [pid for pid in pids if pid not in (os.getpid(), os.getppid())]
    if not others:
        raise Refused("none in sight")
    return others


def kill_everybody():
    """Only what is inside may feel it; the caller checks that pid 1 and the neighbour live."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(-1, signal.SIGTERM)
    raise Refused("sent to nobody but ourselves")


def kill_init():
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGINT, signal.SIGTERM):
        try:
            os.kill(1, number)
        except PermissionError:
            continue
    raise Refused("the daemon looks whether it lives")


def descriptors():
    numbers = {int(name) for name in os.listdir("/proc/self/fd")}
    open_ones = []
    for number in numbers - {0, 1, 2}:
        try:
            os.fstat(number)
        except OSError:
            continue
        open_ones.append(os.readlink(f"/proc/self/fd/{number}"))
    if not open_ones:
        raise Refused("none")
    return open_ones


def secret_in_environments(secret):
    for pid in ("self", "1", str(os.getppid())):
        try:
            if secret in "".join(lines_of(f"/proc/{pid}/environ")):
                return pid
        except OSError:
            continue
    if secret in json.dumps(dict(os.environ)):
        return "own"
    raise Refused("not found")


def gained_capability():
    lines = lines_of("/proc/self/status")
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        if int(status[name], 16):
            return name, status[name]
    if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
        return "no filter"
    raise Refused("none")


def run_set_uid_program():
    for path in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/usr/bin/chsh"):
        set_uid = os.path.exists(path) and os.stat(path).st_mode & 0o4000
        if set_uid and not os.statvfs(path).f_flag & os.ST_NOSUID:
            return path
    raise Refused("mounted without set-uid")


def make_device(path):
    os.mknod(path, 0o20666, os.makedev(1, 1))
    return "made"


def vm_read(pid):
    target = ctypes.create_string_buffer(16)
    local = struct.pack("@PQ", ctypes.addressof(target), 16)
    return call(310, 270, pid, local, 1, local, 1, 0)


def clone_into(flags):
    pid = call(56, 220, flags | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def write_init_memory():
    with open("/proc/1/mem", "r+b", buffering=0) as file:
        file.seek(0x1000)
        file.write(b"x")
    return "written"


def open_to_all(attack):
    """Dumpable, a process may be looked into; it must not look further itself."""
    if libc.prctl(4, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return attack()


def raise_capability():
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0), 8)
    every = (0xFFFFFFFF, 0xFFFFFFFF, 0) * 2
    call(126, 91, header, ctypes.create_string_buffer(struct.pack("=6I", *every), 24))
    return "raised"


def raise_ambient_capability():
    if libc.prctl(47, 2, 21, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return "raised"


def shared_memory():
    shared = [line for line in lines_of("/proc/self/maps") if line.split()[1][1:4:2] == "ws"]
    if not shared:
        raise Refused("none")
    return shared


def open_mapped():
    return [os.open(f"/proc/self/map_files/{n}", 0) for n in os.listdir("/proc/self/map_files")]


def walk_out():
    if os.stat("/..").st_ino == os.stat("/").st_ino and os.path.samefile("/../..", "/"):
        raise Refused("the root is the end")
    return os.listdir("/..")


def interfaces():
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    if not names:
        raise Refused("only the loopback")
    return names


def mounts_to_write():
    """Every mount but /tmp and /proc must be read-only."""
    found = []
    for line in lines_of("/proc/self/mounts"):
        _, target, kind, options, *_ = line.split()
        if "ro" not in options.split(",") and target not in ("/tmp", "/proc"):
            found.append((target, kind))
    if not found:
        raise Refused("none")
    return found


def main(planted):
    unix, inet = socket.AF_UNIX, socket.AF_INET
    attacks = {
        "see other processes": other_processes,
        "kill everybody": kill_everybody,
        "kill pid 1": kill_init,
        "look into pid 1": lambda: os.readlink("/proc/1/root"),
        "read pid 1's environment": lambda: read("/proc/1/environ"),
        "list pid 1's descriptors": lambda: listed("/proc/1/fd"),
        "open pid 1's mounts": lambda: os.open("/proc/1/ns/mnt", os.O_RDONLY),
        "open pid 1's users": lambda: os.open("/proc/1/ns/user", os.O_RDONLY),
        "read pid 1's maps": lambda: read("/proc/1/maps"),
        "look into pid 1, open to all": lambda: open_to_all(lambda: os.readlink("/proc/1/exe")),
        "write pid 1's memory, open to all": lambda: open_to_all(write_init_memory),
        "raise a capability": raise_capability,
        "raise an ambient capability": raise_ambient_capability,
        "memory shared with others": shared_memory,
        "open what is mapped": open_mapped,
        "list the template's helpers": lambda: listed("/alonzo"),
        "list the next root": lambda: listed("/next"),
        "walk out of the program": lambda: listed("/proc/self/exe/.."),
        "walk out of the root": walk_out,
        "read pid 1's command line": lambda: read("/proc/1/cmdline"),
        "write pid 1's memory": write_init_memory,
        "find the secret in an environment": lambda: secret_in_environments(planted["secret"]),
        "read a host file": lambda: read(planted["file"]),
        "list the host folder": lambda: listed(planted["folder"]),
        "read the host's /etc/shadow": lambda: read("/etc/shadow"),
        "read a peer's file": lambda: read("/tmp/peer"),
        "list /sys": lambda: listed("/sys"),
        "list /root": lambda: listed("/root"),
        "list /home": lambda: listed("/home"),
        "read kcore": lambda: read("/proc/kcore"),
        "read kmsg": lambda: read("/proc/kmsg"),
        "read keys": lambda: read("/proc/keys"),
        "read kallsyms": lambda: read("/proc/kallsyms"),
        "read timer_list": lambda: read("/proc/timer_list"),
        "read the kernel's command line": lambda: read("/proc/cmdline"),
        "watch the host's pressure": lambda: listed("/proc/pressure"),
        "read interrupts": lambda: read("/proc/interrupts"),
        "trigger sysrq": lambda: write("/proc/sysrq-trigger", "h"),
        "write /proc/sys": lambda: write("/proc/sys/kernel/hostname", "x"),
        "write core_pattern": lambda: write("/proc/sys/kernel/core_pattern", "|/tmp/x"),
        "write net sysctl": lambda: write("/proc/sys/net/ipv4/ip_forward", "1"),
        "host loopback": lambda: connect(inet, ("127.0.0.1", planted["port"])),
        "peer loopback": lambda: connect(inet, ("127.0.0.1", planted["peer_port"])),
        "outside network": lambda: connect(inet, ("192.0.2.1", 80)),
        "metadata service": lambda: connect(inet, ("169.254.169.254", 80)),
        "other interfaces": interfaces,
        "host abstract socket": lambda: connect(unix, "\0" + planted["abstract"]),
        "peer abstract socket": lambda: connect(unix, "\0peer-abstract"),
        "write /": lambda: write("/x"),
        "write /usr": lambda: write("/usr/x"),
        "write /etc": lambda: write("/etc/x"),
        "write /run": lambda: write("/run/x"),
        "write own passwd": lambda: write("/run/etc/passwd"),
        "write /dev": lambda: write("/dev/x"),
        "write the mount": lambda: write("/var/task/x"),
        "write the mounted file": lambda: write("/var/task/attacks.py"),
        "write into a proc mask": lambda: write("/proc/bus/x"),
        "mounts to write": mounts_to_write,
        "chmod the root": lambda: os.chmod("/", 0o777) or "done",
        "ptrace": lambda: call(101, 117, 16, 1, 0, 0),
        "process_vm_readv": lambda: vm_read(1),
        "pidfd_getfd": lambda: call(438, 438, 0, 0, 0),
        "mount tmpfs": lambda: call(165, 40, b"a", b"/tmp", b"tmpfs", 0, 0),
        "umount /proc/keys": lambda: call(166, 39, b"/proc/keys", 2),
        "open_tree": lambda: call(428, 428, -100, b"/", 1),
        "fsopen": lambda: call(430, 430, b"tmpfs", 0),
        "unshare user": lambda: call(272, 97, NEWUSER),
        "unshare mount": lambda: call(272, 97, 0x20000),
        "clone user": lambda: clone_into(NEWUSER),
        "clone mount": lambda: clone_into(0x20000),
        "clone3": lambda: call(435, 435, 0, 0),
        "setns": lambda: call(308, 268, 0, 0),
        "chroot": lambda: os.chroot("/tmp") or "done",
        "pivot_root": lambda: call(155, 41, b".", b"."),
        "setuid 0": lambda: os.setuid(0) or "done",
        "setgid 0": lambda: os.setgid(0) or "done",
        "setgroups": lambda: os.setgroups([0]) or "done",
        "gain capability": gained_capability,
        "set-uid program": run_set_uid_program,
        "keyctl": lambda: call(250, 219, 0, -3, 0),
        "add_key": lambda: call(248, 217, b"user", b"a", b"b", 1, -3),
        "bpf": lambda: call(321, 280, 0, 0, 0),
        "io_uring": lambda: call(425, 425, 1, 0),
        "perf": lambda: call(298, 241, 0, 0, -1, -1, 0),
        "userfaultfd": lambda: call(323, 282, 0),
        "open_by_handle_at": lambda: call(304, 265, 0, 0, 0),
        "kexec": lambda: call(246, 104, 0, 0, 0, 0),
        "settime": lambda: call(227, 112, 0, struct.pack("@qq", 0, 0)),
        "personality": lambda: call(135, 92, 0x0040000),
        "swapon": lambda: call(167, 224, b"/tmp/x", 0),
        "reboot": lambda: call(169, 142, 0xFEE1DEAD, 672274793, 0, 0),
        "sethostname": lambda: socket.sethostname("x") or "done",
        "raw socket": lambda: raw_socket(inet, socket.SOCK_RAW, 1),
        "multipath socket": lambda: raw_socket(inet, socket.SOCK_STREAM, 262),
        "light datagrams": lambda: raw_socket(inet, socket.SOCK_DGRAM, 136),
        "packet socket": lambda: raw_socket(17, socket.SOCK_RAW, 0),
        "vsock": lambda: raw_socket(40, socket.SOCK_STREAM),
        "alg socket": lambda: raw_socket(38, socket.SOCK_SEQPACKET),
        "audit netlink": lambda: raw_socket(16, socket.SOCK_RAW, 9),
        "make a device": lambda: make_device("/tmp/mem"),
        "open /dev/mem": lambda: read("/dev/mem"),
        "open /dev/kmsg": lambda: read("/dev/kmsg"),
        "open a disk": lambda: read("/dev/vda"),
        "inherited descriptors": descriptors,
        "stay in the daemon's session": lambda: refuse_own_session(),
        "lower oom score": lambda: write("/proc/self/oom_score_adj", "-1000"),
        "be spared out of memory": lambda: be_spared_out_of_memory(planted["oom_settled"]),
        "raise a limit": raise_limit,
        "dump a core": dump_a_core,
        "nice": lambda: os.nice(-5),
    }
    print(json.dumps({name: attempt(attack) for name, attack in attacks.items()}))


def refuse_own_session():
    if os.getsid(0) == os.getpid():
        raise Refused("a session of its own")
    return os.getsid(0)


def raise_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard + 1, hard + 1))
    return "raised"


def dump_a_core():
    """A limit of 0 would have the host's collector run; 1 is the one that nobody is run for."""
    for value in (1 << 20, 0):
        resource.setrlimit(resource.RLIMIT_CORE, (value, value))
    if resource.getrlimit(resource.RLIMIT_CORE) == (1, 1):
        raise Refused("the limit stays")
    return resource.getrlimit(resource.RLIMIT_CORE)


def be_spared_out_of_memory(settled):
    write("/proc/self/oom_score_adj", "0")
    if not settled:
        raise Refused("who runs the platform lacks the privilege to forbid it")
    return read("/proc/self/oom_score_adj")


def attempt(attack):
    try:
        return f"SUCCEEDED: {attack()!r}"
    except (OSError, ValueError, Refused) as err:
        return f"refused: {type(err).__name__}: {err}"


main(json.loads(sys.argv[1]))

"""``make test-cgroups``: run tests on a host with cgroup version 2, which is made for them.

    python tools/cgroup2_host [--emulate] [--undelegated] [--sysctl NAME=VALUE] PYTEST-ARGUMENT...

The host is a virtual machine with a kernel of the distribution. Its files are this machine's own,
read-only, and what it writes is in memory; it has no network, and ends with the tests. ``init.sh``
is what happens inside.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
#: Packages that were fetched and unpacked; folders of runs.
CACHE = CHECKOUT / ".venv" / "cache" / "cgroup2-host"

#: In the folder of a run: the initial file system, and orders for the inside.
INITIAL, ORDERS = "initial.cpio", "orders.sh"

#: Root's apt-get would fetch as a user who may not write here.
APT_GET = ("apt-get", "-qq", "-o", "APT::Sandbox::User=root")

#: What the initial file system needs to show this machine's files, and tests before others load
#: modules by themselves.
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
MEMORY_MIB = 4096

#: The last line of the console: this, and the tests' exit code.
END = "cgroup2-host ended: "

MISSING = """\
No tests on cgroup version 2 here: {what}.
They run in a virtual machine. On Debian: apt-get install {package}
"""


@dataclass(frozen=True)
class Machine:
    """What depends on the processor: qemu's program and options, packages, the console's name."""

    program: str
    package: str
    kernel_package: str
    board: tuple[str, ...]
    console: str


MACHINES = {
    "x86_64": Machine(
        "qemu-system-x86_64", "qemu-system-x86", "linux-image-amd64", ("pc",), "ttyS0"
    ),
    "aarch64": Machine(
        "qemu-system-aarch64", "qemu-system-arm", "linux-image-arm64", ("virt",), "ttyAMA0"
    ),
}


class MissingError(Exception):
    """This machine lacks something; ``package`` has it."""

    def __init__(self, what: str, package: str) -> None:
        super().__init__(MISSING.format(what=what, package=package))


def main() -> int:
    """Boot, run the tests, and answer their exit code; 77 if this machine cannot."""
    parser = argparse.ArgumentParser(prog="cgroup2_host", allow_abbrev=False)
    parser.add_argument("--emulate", action="store_true", help="even if there is a /dev/kvm")
    parser.add_argument(
        "--undelegated", action="store_true", help="no cgroup is a user's to divide"
    )
    parser.add_argument("--sysctl", action="append", default=[], help="NAME=VALUE, at the start")
    asked, tests = parser.parse_known_args()
    try:
        machine, program = emulator()
        CACHE.mkdir(parents=True, exist_ok=True)
        image, modules = kernel(machine)
        first = busybox()
    except MissingError as missing:
        print(missing, end="", file=sys.stderr)
        return 77
    asked.emulate |= not os.access("/dev/kvm", os.R_OK | os.W_OK)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        pack_initial_files(first, modules, folder)
        (folder / ORDERS).write_text(orders_for(asked, tests, modules))
        return boot(command(machine, program, image, folder, emulated=asked.emulate))


def emulator() -> tuple[Machine, str]:
    """What this machine is, and its qemu."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise MissingError(f"no kernel is known for {platform.machine()}", "qemu-system")
    program = shutil.which(machine.program)
    if program is None:
        raise MissingError(f"there is no {machine.program}", machine.package)
    return machine, program


def kernel(machine: Machine) -> tuple[Path, Path]:
    """A kernel of the distribution, and the folder of its modules."""
    unpacked = CACHE / "unpacked"
    if not any(unpacked.glob("boot/vmlinuz-*")):
        fetch(machine.kernel_package)
    image = max(unpacked.glob("boot/vmlinuz-*"))
    return image, unpacked / "lib/modules" / image.name.partition("-")[2]


def fetch(package: str) -> None:
    """Have ``apt-get`` fetch a package from where this machine has its packages, and unpack it."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise MissingError(f"there is no {package}, nor an apt-get to fetch it", package)
    print(f"fetching {package}", flush=True)
    for name in (package, *depends_of(package)):
        done = subprocess.run([*APT_GET, "download", name], cwd=CACHE, check=False)
        if done.returncode:
            raise MissingError(f"{name} cannot be fetched (apt-get update?)", package)
    for archive in CACHE.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", archive, CACHE / "unpacked"], check=True)
        archive.unlink()


def depends_of(package: str) -> Iterator[str]:
    """The kernel that a package without files stands for."""
    shown = subprocess.run(
        ["apt-cache", "depends", package], capture_output=True, text=True, check=False
    )
    for line in shown.stdout.splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            yield name


def busybox() -> Path:
    """A program that needs no library: the inside's first."""
    found = [CACHE / "unpacked" / place / "busybox" for place in ("bin", "usr/bin")]
    if not any(map(Path.exists, found)):
        fetch("busybox-static")
    return next(filter(Path.exists, found))


def pack_initial_files(first: Path, modules: Path, folder: Path) -> None:
    """Make the initial file system: busybox, ``init.sh`` and the first modules."""
    if not (modules / "modules.dep").exists():
        base = modules.parents[2]
        subprocess.run([first, "depmod", "-b", base, modules.name], check=True)
    root = folder / "initial"
    (root / "bin").mkdir(parents=True)
    shutil.copy(first, root / "bin/busybox")
    shutil.copy(HERE / "init.sh", root / "init")
    (root / "init").chmod(0o755)
    for name in needed(modules):
        target = root / "lib/modules" / modules.name / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(modules / name, target)
    for name in ("modules.dep", "modules.builtin"):
        shutil.copy(modules / name, root / "lib/modules" / modules.name / name)
    with (folder / INITIAL).open("wb") as file:
        script = 'find . | "$0" cpio -o -H newc 2>/dev/null'
        subprocess.run(["sh", "-c", script, first], cwd=root, stdout=file, check=True)


def needed(modules: Path) -> Iterable[str]:
    """Files of ``MODULES`` and of what those need; what is built in has none."""
    depends: dict[str, list[str]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        name, _, others = line.partition(":")
        depends[name] = others.split()
    names = {Path(one).name.partition(".")[0].replace("-", "_"): one for one in depends}
    wanted = [names[module] for module in MODULES if module in names]
    return dict.fromkeys(one for name in wanted for one in (name, *depends[name]))


def orders_for(asked: argparse.Namespace, tests: list[str], modules: Path) -> str:
    """What the inside does once it shows this machine's files; ``init.sh`` says the rest."""
    patience = ["-p", "patience", "-o", "faulthandler_timeout=0", "--timeout=0"]
    options = ["-p", "no:cacheprovider", *(patience if asked.emulate else ())]
    pytest = [sys.executable, "-m", "pytest", *options, *tests]
    told = {
        "MODULES": str(modules),
        "PYTHONPATH": str(HERE),
        "CHECKOUT": str(CHECKOUT),
        "PATH": os.environ["PATH"],
        "HOME": str(Path.home()),
        "TERM": os.environ.get("TERM", "dumb") if sys.stdout.isatty() else "dumb",
        "DELEGATED": "" if asked.undelegated else "yes",
        "SYSCTLS": " ".join(asked.sysctl),
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in told.items()]
    return "\n".join([*lines, f"tests() {{ {shlex.join(pytest)}; }}", ""])


def command(
    machine: Machine, program: str, image: Path, folder: Path, *, emulated: bool
) -> list[str]:
    """How the machine is started."""
    accelerator = "tcg,thread=multi" if emulated else "kvm"
    shared = "local,path=/,mount_tag=files,security_model=none,readonly=on,multidevs=remap"
    return [
        *(program, "-M", *machine.board, "-accel", accelerator),
        *("-cpu", "max", "-smp", str(os.cpu_count() or 1), "-m", str(MEMORY_MIB)),
        *("-kernel", str(image), "-initrd", str(folder / INITIAL), "-virtfs", shared),
        *("-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio"),
        *("-no-reboot", "-append"),
        f"console={machine.console} quiet panic=-1 random.trust_cpu=on "
        f"cgroup_no_v1=all orders={folder / ORDERS}",
    ]


def boot(argv: list[str]) -> int:
    """Run the machine to its end, show its console, and answer what its last line says."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = 1
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as machine:
        assert machine.stdout is not None
        try:
            for line in machine.stdout:
                if line.startswith(END):
                    code = int(line.removeprefix(END))
                else:
                    print(line.rstrip("\r\n"), flush=True)
        except KeyboardInterrupt:
            code = 130
        finally:
            machine.terminate()
    return code


if __name__ == "__main__":
    raise SystemExit(main())

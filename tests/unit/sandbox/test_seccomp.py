"""The filter, run by a small interpreter of classic BPF."""

from __future__ import annotations

import struct

import pytest

from alonzo.sandbox.backends.namespaces import seccomp

NEWUSER = 0x10000000


def decide(program: bytes, number: int, audit: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would answer."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, audit, 0, *padded)
    code = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    at, word = 0, 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x20:
            (word,) = struct.unpack_from("<I", data, value)
        elif operation == 0x06:
            return value
        else:
            holds = {0x15: word == value, 0x35: word >= value, 0x45: bool(word & value)}[operation]
            at += if_true if holds else if_false


@pytest.fixture(params=sorted(seccomp.MACHINES))
def machine(request: pytest.FixtureRequest) -> str:
    return request.param


def answer(machine: str, number: int, *arguments: int) -> int:
    audit = seccomp.MACHINES[machine].audit
    return decide(seccomp.build(machine), number, audit, arguments)


def test_every_number_is_answered(machine: str) -> None:
    facts = seccomp.MACHINES[machine]
    special = {facts.clone, facts.socket, facts.ioctl, facts.fcntl, facts.prlimit, 435}
    for number in range(600):
        if number in facts.denied.values():
            assert answer(machine, number) == seccomp.EPERM, number
        elif number not in special:
            assert answer(machine, number) == seccomp.ALLOW, number


def test_memory_files_are_denied_where_nothing_counts_them(machine: str) -> None:
    facts = seccomp.MACHINES[machine]
    memory_file_and_queue = {"x86_64": (319, 240), "aarch64": (279, 180)}[machine]
    uncounted = seccomp.build(machine, memory_counted=False)
    for number in memory_file_and_queue:
        assert decide(uncounted, number, facts.audit) == seccomp.EPERM
        assert answer(machine, number) == seccomp.ALLOW
    for denied in facts.denied.values():
        assert decide(uncounted, denied, facts.audit) == seccomp.EPERM


def test_the_deny_list_names_no_number_twice(machine: str) -> None:
    numbers = list(seccomp.MACHINES[machine].denied.values())
    assert len(numbers) == len(set(numbers))


def test_the_architectures_deny_the_same_calls_but_for_those_of_old_machines() -> None:
    x86, arm = (set(seccomp.MACHINES[name].denied) for name in ("x86_64", "aarch64"))
    assert arm <= x86
    assert x86 - arm == {
        *("uselib", "ustat", "sysfs", "modify_ldt", "_sysctl", "iopl", "ioperm"),
        *("create_module", "get_kernel_syms", "query_module"),
    }


def test_programs_of_another_architecture_are_killed(machine: str) -> None:
    program = seccomp.build(machine)
    for audit in (0x40000003, 0x40000028, 0, 0xFFFFFFFF):
        assert decide(program, 1, audit) == seccomp.KILL


def test_x32_calls_are_killed() -> None:
    for number in (0x40000000, 0x40000001, 0x40000000 + 520, 0xFFFFFFFF):
        assert answer("x86_64", number) == seccomp.KILL


def test_clone_makes_processes_and_threads_but_no_namespaces(machine: str) -> None:
    clone = seccomp.MACHINES[machine].clone
    threads = 0x3D0F00
    for flags in (17, threads, 0x4111):
        assert answer(machine, clone, flags) == seccomp.ALLOW
    flags_of_namespaces = (0x20000, 0x02000000, 0x04000000, 0x08000000, NEWUSER, 1 << 29, 1 << 30)
    for flag in flags_of_namespaces:
        assert answer(machine, clone, flag | 17) == seccomp.EPERM


def test_clone3_is_said_not_to_exist(machine: str) -> None:
    assert answer(machine, 435, 0, 0) == seccomp.ENOSYS


def test_sockets_are_of_the_families_that_functions_use(machine: str) -> None:
    number = seccomp.MACHINES[machine].socket
    for family in (1, 2, 10):
        assert answer(machine, number, family, 1, 0) == seccomp.ALLOW
    for family in (2, 10):
        for protocol in range(300):
            wanted = seccomp.ALLOW if protocol in (0, 6, 17) else seccomp.EPROTONOSUPPORT
            assert answer(machine, number, family, 1, protocol) == wanted, protocol
    assert answer(machine, number, 16, 3, 0) == seccomp.ALLOW
    for protocol in (1, 4, 9, 12, 15, 16):
        assert answer(machine, number, 16, 3, protocol) == seccomp.EAFNOSUPPORT
    for family in {*range(64)} - {1, 2, 10, 16}:
        assert answer(machine, number, family, 1, 0) == seccomp.EAFNOSUPPORT


def test_terminals_cannot_be_typed_into(machine: str) -> None:
    number = seccomp.MACHINES[machine].ioctl
    assert answer(machine, number, 0, 0x5412) == seccomp.EPERM
    assert answer(machine, number, 0, 0x541C) == seccomp.EPERM
    # The kernel looks at 32 bits only; so must we.
    assert answer(machine, number, 0, 0x100000000 | 0x5412) == seccomp.EPERM
    assert answer(machine, number, 0, 0x5401) == seccomp.ALLOW


def test_no_lease_is_taken(machine: str) -> None:
    number = seccomp.MACHINES[machine].fcntl
    assert answer(machine, number, 3, 1024) == seccomp.EPERM
    assert answer(machine, number, 3, 0x100000000 | 1024) == seccomp.EPERM
    for command in (*range(17), 1025, 1030, 1031, 1032, 1033):
        assert answer(machine, number, 3, command) == seccomp.ALLOW


def test_nobody_takes_huge_pages(machine: str) -> None:
    facts = seccomp.MACHINES[machine]
    private_anonymous, huge = 0x22, 0x40000
    assert answer(machine, facts.mmap, 0, 1, 3, private_anonymous) == seccomp.ALLOW
    assert answer(machine, facts.mmap, 0, 1, 3, private_anonymous | huge) == seccomp.ENOMEM
    assert answer(machine, facts.memfd_create, 0, 1) == seccomp.ALLOW
    assert answer(machine, facts.memfd_create, 0, 4) == seccomp.ENOMEM
    uncounted = seccomp.build(machine, memory_counted=False)
    assert decide(uncounted, facts.memfd_create, facts.audit, (0, 4)) == seccomp.EPERM


def test_the_limit_on_core_dumps_stays(machine: str) -> None:
    facts = seccomp.MACHINES[machine]
    core, files = 4, 7
    assert answer(machine, facts.setrlimit, core, 0x1000) == seccomp.IGNORE
    assert answer(machine, facts.setrlimit, files, 0x1000) == seccomp.ALLOW
    for given in (0x1000, 1 << 32, 0x7FFF12345678):
        assert answer(machine, facts.prlimit, 0, core, given) == seccomp.IGNORE
        assert answer(machine, facts.prlimit, 0, files, given) == seccomp.ALLOW
    assert answer(machine, facts.prlimit, 0, core, 0, 0x1000) == seccomp.ALLOW


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(KeyError):
        seccomp.build("vax")


def test_in_a_template_only_a_tracer_lets_namespaces_be_entered(machine: str) -> None:
    facts = seccomp.MACHINES[machine]
    program = seccomp.build(machine, template=True)
    assert answer(machine, facts.denied["setns"]) == seccomp.EPERM
    assert decide(program, facts.denied["setns"], facts.audit) == seccomp.TRACE
    assert decide(program, facts.denied["ptrace"], facts.audit) == seccomp.EPERM
    assert decide(program, facts.denied["unshare"], facts.audit) == seccomp.EPERM


def test_in_a_template_nobody_becomes_the_one_who_reaps_orphans(machine: str) -> None:
    facts = seccomp.MACHINES[machine]
    program = seccomp.build(machine, template=True)
    child_subreaper, dumpable = 36, 4
    assert decide(program, facts.prctl, facts.audit, (child_subreaper, 1)) == seccomp.EPERM
    assert decide(program, facts.prctl, facts.audit, (dumpable, 1)) == seccomp.ALLOW

"""What ``alonzo doctor`` makes of what it finds: sentences that say what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alonzo.daemon.host import HostFacts
from alonzo.sandbox.base import Layer

_CGROUP_WORD = "cgroup version"

_DELEGATION = (
    "no cgroup may be made here, so limits are kept by looking and the processor is shared by all; "
    "to have the kernel keep them: run as root, or under "
    "`systemd-run --user --scope -p Delegate=yes alonzo serve`"
)
_IN_CONTAINER = (
    "the container has no cgroup that may be written; give it one with "
    "`--privileged`, or `--cgroupns=private` and /sys/fs/cgroup mounted for writing"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One finding. ``ok`` is None for what is neither good nor bad."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Availability:
    """One runtime: where it was ``found``, or else how to get it (``fix``)."""

    name: str
    family: str
    found: str | None = None
    fix: str | None = None


# Isolation


def of_isolation(facts: HostFacts, layers: Sequence[Layer], refusal: str | None) -> list[Row]:
    """What the default backend gives, or why it cannot be and what would change that.

    ``refusal`` is what it said if it could not start.
    """
    if refusal is not None:
        causes = [Row("because", False, text) for text in _causes(facts)]
        return [Row("namespaces", False, refusal), *causes, _last_resort()]
    rows = [Row(layer.name, layer.active, layer.detail) for layer in layers]
    limits = [layer for layer in layers if layer.name in ("memory limit", "cpu share")]
    if any(_CGROUP_WORD not in layer.detail for layer in limits):
        rows.append(Row("cgroups", False, _IN_CONTAINER if facts.container else _DELEGATION))
    return rows


def _causes(facts: HostFacts) -> list[str]:
    """Each thing of this host that stands in the way, with what changes it."""
    found: list[str] = []
    if facts.container is not None:
        found.append(
            f"this is a container ({facts.container}) without the privilege to make namespaces: "
            "start it with `--privileged`, or with `--cap-add SYS_ADMIN --security-opt "
            "seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
            "systempaths=unconfined`, or run Alonzo outside it"
        )
    if facts.root:
        return found or ["root lacks CAP_SYS_ADMIN here: start Alonzo with it"]
    if facts.user_namespaces_max == 0:
        found.append(
            "user namespaces are switched off: `sysctl -w user.max_user_namespaces=15000` as root"
        )
    if facts.user_namespaces_allowed is False:
        found.append(
            "only root may make user namespaces: "
            "`sysctl -w kernel.unprivileged_userns_clone=1` as root"
        )
    if facts.apparmor_restricts:
        found.append(
            "AppArmor takes user namespaces from ordinary users (as Ubuntu 23.10 and later set "
            "it): `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` as root, or a "
            "profile for this Python with `userns,`"
        )
    return found or ["run as root, or ask who runs this host for user namespaces"]


def _last_resort() -> Row:
    return Row(
        "none",
        None,
        "`alonzo serve --isolation none` runs functions as plain processes of yours, without any "
        "isolation: for code that you trust as your own",
    )


def of_gvisor(facts: HostFacts) -> Row:
    """Whether ``--isolation gvisor`` can be had."""
    if facts.runsc is None:
        how = "`apt-get install runsc` on Debian; else from gvisor.dev"
        return Row("gvisor", None, f"for `--isolation gvisor` runsc would be needed: {how}")
    if not facts.root:
        return Row("gvisor", None, f"runsc {facts.runsc}; `--isolation gvisor` also needs root")
    return Row("gvisor", True, f"runsc {facts.runsc}, for `--isolation gvisor`")


# Runtimes


def of_runtimes(known: Iterable[Availability]) -> list[Row]:
    """What can be used first, one by one; then a line for each family that lacks something."""
    known = list(known)
    usable = [Row(each.name, True, each.found) for each in known if each.found is not None]
    missing: dict[str, list[Availability]] = {}
    for each in known:
        if each.found is None:
            missing.setdefault(each.family, []).append(each)
    return [*usable, *(_missing(family, lacking) for family, lacking in missing.items())]


def _missing(family: str, lacking: list[Availability]) -> Row:
    # The newest is what somebody would want first; how to get it stands for the others.
    names = ", ".join(each.name for each in lacking)
    return Row(family, False, f"not here: {names}. {lacking[-1].fix or ''}".rstrip())

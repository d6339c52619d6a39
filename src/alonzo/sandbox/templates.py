"""The contract of templates: sandboxes whose process is forked, as it stands, into others.

A *template* is a sandbox with one process, a fork of its zygote, that has initialised something
at length. Each of its *clones* is a sandbox with the same mounts and ports, and its own user,
``/tmp``, ``/proc``, network and limits; a fork of the template's process runs in it.

* The process finds a socket at descriptor 5. Each packet on it asks for a fork, and brings its
  descriptors; ``runtimes/bootstraps/python/_alonzo_snapshot.py`` is the other side. Foreign code
  there can spoil forks. It gains no privilege, and can do nothing to clones that it could not do
  by being their code.
* A fork has the memory of the process, and one thread.
* The process stands still from ``freeze()`` on, and runs only while it is forked.
* A clone sees neither the template nor another clone, and can do nothing to them.
* Clones end with their template, however it ends. Its process may end before them.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from alonzo.sandbox.base import Fitting, Sandbox, SandboxSpec


class Template(Sandbox, Protocol):
    """A sandbox whose process can be forked. ``start()`` without arguments, once, starts it."""

    async def clone(self, sandbox_id: str, fitting: Fitting) -> Sandbox:
        """A sandbox for forks, with those limits; the mounts of ``fitting`` are the template's.

        Its ``start()`` without arguments forks: only ``fds`` of the description count. It can be
        used again when the fork has ended.

        Raises:
            SandboxError: it could not be made; nothing is left behind.
        """
        ...


@runtime_checkable
class TemplateBackend(Protocol):
    """A backend that may be able to make templates."""

    def why_no_templates(self) -> str | None:
        """What keeps this host from it, in words, or None. After ``open()``."""
        ...

    async def create_template(self, spec: SandboxSpec) -> Template:
        """Make a template; ``spec`` names its zygote.

        Raises:
            ZygoteError: the zygote does not work on this host.
            SandboxError: it could not be made; nothing is left behind.
        """
        ...

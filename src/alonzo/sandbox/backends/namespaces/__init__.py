"""Sandboxes made of Linux namespaces, cgroups and seccomp, as root or as an ordinary user.

How it is put together:

* ``backend.py`` and ``sandbox.py`` live in the daemon. They decide nothing about the kernel.
* ``spawner.py`` is one helper program, started once. Its *opener* half keeps the host in view and
  opens the folders to show; its *maker* half lives in an empty root and forks one ``init`` per
  sandbox. The maker is pid 1 of a pid namespace, so nothing outlives it.
* ``init.py`` is pid 1 of a sandbox: it starts, ends and reaps processes.
* ``tree.py`` (mounts), ``seccomp.py``, ``syscalls.py`` and ``wire.py`` serve those programs.
* ``plan.py``, ``cgroups.py``, ``probe.py`` serve the daemon.
"""

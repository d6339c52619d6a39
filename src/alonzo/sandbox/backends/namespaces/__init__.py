"""Sandboxes made of Linux namespaces, cgroups and seccomp, as root or as an ordinary user.

How it is put together (the picture is in ``sandbox/README.md``):

* ``backend.py``, ``makers.py``, ``sandbox.py`` and ``process.py`` live in the daemon. They decide
  nothing about the kernel. ``channel.py`` is their end of each helper's socket.
* ``spawner.py`` is one helper program, started once: its *opener* keeps the host in view, opens the
  folders to show (``opening.py``) and starts makers in the roots that ``template.py`` builds.
* ``inside/`` is what runs there: ``maker.py`` forks one ``init.py`` per sandbox, which starts, ends
  and reaps processes; ``forked.py`` makes a fork of a zygote look like a fresh interpreter.
* ``plan.py``, ``seccomp.py``, ``cgroup_trees.py``, ``cgroups.py``, ``alarms.py``, ``samples.py``
  and ``probe.py`` serve the daemon.
"""

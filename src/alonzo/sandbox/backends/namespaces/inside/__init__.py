"""Programs that run in makers and in sandboxes, where they may meet another Python than ours.

Standard library only, Python 3.8 or later, and imports within this folder only: in a zygote's root
nothing else of the package is in sight.

What is imported here is in the memory of every helper and zygote, and next to what their forks
write to. So types are imported for the checker alone (``TYPE_CHECKING``), and records are plain
classes: ``dataclasses`` and ``typing`` bring 22 modules and 2 MiB.
"""

"""Programs that run in makers and in sandboxes, where they may meet another Python than ours.

Standard library only, Python 3.8 or later, and imports within this folder only: in a zygote's root
nothing else of the package is in sight.
"""

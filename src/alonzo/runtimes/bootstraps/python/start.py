"""Starts the bootstrap, whose compiled form Python keeps only if it is imported: 5 ms a start."""

import os
import sys

if __name__ == "__main__":
    if os.environ.get("_ALONZO_PARK") == "1":
        from _alonzo_parked import main, preload

        preload()
    else:
        from bootstrap import main

        # A function may have a module of that name.
        del sys.modules["bootstrap"]
    main()

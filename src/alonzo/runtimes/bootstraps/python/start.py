"""Starts the bootstrap, whose compiled form Python keeps only if it is imported: 5 ms a start."""

import sys

if __name__ == "__main__":
    from bootstrap import main

    # A function may have a module of that name.
    del sys.modules["bootstrap"]
    main()

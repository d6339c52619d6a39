"""``python -m alonzo`` is the ``alonzo`` command."""

from alonzo.cli.main import main

if __name__ == "__main__":
    main()

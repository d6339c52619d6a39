"""Lambda's control plane: it checks what callers want, stores it, and makes it so.

``functions.py`` puts the parts together. ``api/`` holds the operations, ``rules.py``,
``declined.py``, ``machine.py`` and ``documents.py`` decide, ``records.py`` stores, and
``deployer.py`` deploys what has been stored. What differs from AWS is in ``README.md``.
"""

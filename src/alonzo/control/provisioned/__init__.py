"""Provisioned concurrency as callers want it.

``rules`` decides, ``records`` is the store; ``invoke/provisioning.py`` makes it so.
"""

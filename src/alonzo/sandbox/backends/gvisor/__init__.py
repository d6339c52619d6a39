"""Sandboxes with a kernel of their own, by gVisor's ``runsc``."""

"""Turns a result into what the standard library's encoder writes as AWS's would."""


def plain(value):
    """``value`` with named tuples as dictionaries and keys of bytes as text."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {
            key.decode() if isinstance(key, bytes) else key: plain(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value

"""Returns what JSON does not know by itself; ``kind`` picks."""

import collections
import decimal

Point = collections.namedtuple("Point", "x y")
loop = []
loop.append(loop)

KINDS = {
    "none": None,
    "bytes": b"raw \xff",
    "bytes inside": {"a": b"text", b"key": 1},
    "decimal": {"price": decimal.Decimal("1.50"), "none": decimal.Decimal("NaN"), "mark": "1.5"},
    "named tuple": [Point(1, Point(2, 3)), (4, 5)],
    "nan": [float("nan"), float("inf")],
    "keys": {1: "a", None: "b", True: "c", 2.5: "d"},
    "unicode": {"\u00e9": "\u2603\U0001f600\u2028"},
    "set": {1, 2},
    "tuple key": {(1, 2): 3},
    "loop": loop,
    "surrogate": "\ud800",
}


def handler(event, context):
    return KINDS[event["kind"]]

"""Works out a metric math expression over the series that it names. Pure.

* An operator between two series has a value where both have one; a number goes with every value.
* A division by zero, or a result that is no number, is no value.
* ``METRICS()`` is every metric of the request that is no expression.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

from alonzo.services.cloudwatch.expressions.functions import (
    FUNCTIONS,
    REFUSED,
    NoDataError,
    exactly,
    fill,
    one_period,
)
from alonzo.services.cloudwatch.expressions.parser import (
    Array,
    Binary,
    Call,
    ExpressionError,
    Name,
    Node,
    Number,
    Text,
)
from alonzo.services.cloudwatch.expressions.values import Series, Span, Value, as_series


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan


def _power(left: float, right: float) -> float:
    result = left**right
    return result if isinstance(result, int | float) else math.nan  # A root of a negative number.


_OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "<": lambda left, right: float(left < right),
    "<=": lambda left, right: float(left <= right),
    ">": lambda left, right: float(left > right),
    ">=": lambda left, right: float(left >= right),
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "AND": lambda left, right: float(bool(left) and bool(right)),
    "OR": lambda left, right: float(bool(left) or bool(right)),
}


class Evaluator:
    """Evaluates the expressions of one request.

    ``find`` answers the value of another query by its id, or None if there is none of that id.
    ``metrics`` answers all series that are metrics, by their ids.
    """

    def __init__(
        self,
        find: Callable[[str], Value | None],
        metrics: Callable[[], Mapping[str, Series]],
        span: Span,
    ) -> None:
        self._find = find
        self._metrics = metrics
        self._span = span

    def series(self, node: Node) -> list[Series]:
        """The series of an expression that is a query's.

        Raises:
            ExpressionError: it cannot be worked out, or it is a single number.
        """
        try:
            value = self._value(node)
        except NoDataError:
            return []
        if isinstance(value, int | float):
            raise ExpressionError("it must be a time series, and it is a single number")
        return value if isinstance(value, list) else [value]

    def _value(self, node: Node) -> Value:
        match node:
            case Number(value):
                return value
            case Name(name):
                found = self._find(name)
                if found is None:
                    raise ExpressionError(f"there is no query with the id {name}")
                return found
            case Array(items):
                return self._array(items)
            case Binary(sign, left, right):
                return self._operate(sign, self._value(left), self._value(right))
            case Call(name, arguments):
                return self._call(name, arguments)
            case Text():
                raise ExpressionError("a text is no value")

    def _array(self, items: tuple[Node, ...]) -> list[Series]:
        found: list[Series] = []
        for item in items:
            value = self._value(item)
            if isinstance(value, list):
                found.extend(value)
            else:
                found.append(as_series(value, "A list"))
        return found

    def _call(self, name: str, arguments: tuple[Node, ...]) -> Value:
        if name == "METRICS":
            return self._all_metrics(arguments)
        if name == "FILL":
            return self._fill(arguments)
        if name == "TIME_SERIES":
            return self._time_series(arguments)
        function = FUNCTIONS.get(name)
        if function is None:
            reason = REFUSED.get(name)
            if reason is None:
                raise ExpressionError(f"there is no function {name}")
            raise ExpressionError(f"{name} is not supported by Alonzo yet: {reason}")
        return function([self._value(each) for each in arguments], self._span)

    def _all_metrics(self, arguments: tuple[Node, ...]) -> list[Series]:
        match arguments:
            case ():
                part = ""
            case (Text(value),):
                part = value
            case _:
                raise ExpressionError("METRICS takes nothing, or a text that ids contain")
        return [series for key, series in self._metrics().items() if part in key]

    def _fill(self, arguments: tuple[Node, ...]) -> Value:
        if len(arguments) != 2:
            raise ExpressionError("FILL takes 2 arguments")
        value, word = self._value(arguments[0]), arguments[1]
        if isinstance(word, Name) and word.name.upper() in ("REPEAT", "LINEAR"):
            filler: Value | str = word.name.upper()
        else:
            filler = self._value(word)
        if isinstance(value, list):
            return [fill(series, filler, self._span) for series in value]
        return fill(as_series(value, "FILL"), filler, self._span)

    def _time_series(self, arguments: tuple[Node, ...]) -> Value:
        (value,) = exactly([self._value(each) for each in arguments], 1, "TIME_SERIES")
        if not isinstance(value, int | float):
            return value
        metrics = self._metrics().values()
        period_s = one_period(metrics) if metrics else 60
        return Series(period_s, "", dict.fromkeys(self._span.grid(period_s), value))

    def _operate(self, sign: str, left: Value, right: Value) -> Value:
        if isinstance(left, list) or isinstance(right, list):
            return self._operate_on_lists(sign, left, right)
        apply = _OPERATORS[sign]
        if isinstance(left, Series) and isinstance(right, Series):
            period_s = one_period((left, right))
            pairs = {
                at: (value, right.values[at])
                for at, value in left.values.items()
                if at in right.values
            }
        elif isinstance(left, Series):
            assert isinstance(right, int | float)
            period_s, pairs = left.period_s, {at: (v, right) for at, v in left.values.items()}
        elif isinstance(right, Series):
            period_s, pairs = right.period_s, {at: (left, v) for at, v in right.values.items()}
        else:
            result = _number(apply, left, right)
            if result is None:
                raise NoDataError
            return result
        results = {at: _number(apply, *pair) for at, pair in pairs.items()}
        return Series(
            period_s,
            _label(left) or _label(right),
            {at: v for at, v in results.items() if v is not None},
        )

    def _operate_on_lists(self, sign: str, left: Value, right: Value) -> list[Series]:
        if isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                raise ExpressionError("lists of different lengths cannot be used together")
            pairs: list[tuple[Value, Value]] = list(zip(left, right, strict=True))
        elif isinstance(left, list):
            pairs = [(each, right) for each in left]
        else:
            assert isinstance(right, list)
            pairs = [(left, each) for each in right]
        return [as_series(self._operate(sign, *pair), "An operator") for pair in pairs]


def _label(value: Value) -> str:
    return value.label if isinstance(value, Series) else ""


def _number(apply: Callable[[float, float], float], left: float, right: float) -> float | None:
    try:
        result = apply(left, right)
    except (OverflowError, ZeroDivisionError):
        return None
    return result if math.isfinite(result) else None

"""The rule of a composite alarm: its text, and what it comes to. Pure.

    rule    = and { OR and }            state = ALARM | OK | INSUFFICIENT_DATA
    and     = not { AND not }           alarm = name | ARN, or either "in double quotes"
    not     = { NOT } operand
    operand = ( rule ) | TRUE | FALSE | state ( alarm )
            | AT_LEAST ( number or percentage , [NOT] state , ( alarm { , alarm } ) )

* Quotes are needed around white space, parentheses and, in a list, commas. In quotes a backslash
  takes the next character as it is.
* A rule becomes a program for a stack, so that neither reading nor evaluating one recurses.

Source: CloudWatch API reference, PutCompositeAlarm; user guide, combining alarms. Texts of errors
are recorded, as far as they are known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from alonzo.services.cloudwatch.alarms.evaluation import State

#: Alarms of one rule; alarms, constants and parentheses of one. Source: PutCompositeAlarm.
CHILDREN_MAX, ELEMENTS_MAX = 100, 500

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r'[^\s(),"]+|.', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)+)"', re.DOTALL)
_NAME = re.compile(r'[^\s()"]+')
_LISTED = re.compile(r'[^\s(),"]+')
_AMOUNT = re.compile(r'("?)([0-9]{1,3})(%?)\1')
_SHOWN_MAX = 255

_OPERAND = "'(', 'NOT', AT_LEAST, TRUE or FALSE, ALARM, OK, or INSUFFICIENT_DATA"
_CONSTANTS = {"TRUE": True, "FALSE": False}


class RuleError(Exception):
    """A text is no rule. The message is fit for a client."""


class Operator(Enum):
    """What joins operands, the loosest first."""

    OR = 1
    AND = 2
    NOT = 3


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Whether so many of the alarms are in a state, or with ``negated`` are not in it."""

    least: int
    state: State
    negated: bool
    alarms: tuple[str, ...]


#: One step of a program: a constant, a question about alarms, or an operator on what came before.
Step = bool | AtLeast | Operator


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule made ready. ``children`` are the alarms that it names, as it names them."""

    program: tuple[Step, ...]
    children: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule comes to. ``because`` are the alarms whose states suffice for it."""

    holds: bool
    because: frozenset[str]


#: As many as an account has in a region: one change may need them all.
@lru_cache(maxsize=512)
def parse_rule(text: str) -> Rule:
    """Read a rule.

    Raises:
        RuleError: it is none, or longer than one may be.
    """
    if text != text.strip():
        raise RuleError("AlarmRule must not contain leading or trailing whitespace or be null")
    return _Reader(text).read()


def evaluate(rule: Rule, states: Mapping[str, State]) -> Answer:
    """What a rule comes to. ``states`` are by the names that the rule has for its alarms."""
    # What each part comes to, and which alarms suffice for that.
    stack: list[tuple[bool, list[str]]] = []
    for step in rule.program:
        if isinstance(step, bool):
            stack.append((step, []))
        elif isinstance(step, AtLeast):
            stack.append(_count(step, states))
        elif step is Operator.NOT:
            holds, because = stack.pop()
            stack.append((not holds, because))
        else:
            right = stack.pop()
            stack[-1] = _joined(stack[-1], right, decides=step is Operator.OR)
    ((holds, because),) = stack
    return Answer(holds, frozenset(because))


def _joined(
    left: tuple[bool, list[str]], right: tuple[bool, list[str]], *, decides: bool
) -> tuple[bool, list[str]]:
    """Two operands, which are used up; one that is ``decides`` settles the matter."""
    if left[0] is not right[0]:
        return left if left[0] is decides else right
    # The longer one takes the other in: a rule is worked out in the time that reading it takes.
    longer, other = (left, right) if len(left[1]) >= len(right[1]) else (right, left)
    longer[1].extend(other[1])
    return longer


def _count(step: AtLeast, states: Mapping[str, State]) -> tuple[bool, list[str]]:
    fitting = [(states.get(name) is step.state) is not step.negated for name in step.alarms]
    holds = sum(fitting) >= step.least
    return holds, [name for name, fits in zip(step.alarms, fitting, strict=True) if fits is holds]


class _Reader:
    """Reads one rule, from the left to the right: operands go out, operators wait for theirs."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._program: list[Step] = []
        #: Operators that wait; None is an open parenthesis.
        self._waiting: list[Operator | None] = []
        self._children: dict[str, None] = {}
        self._elements = 0

    def read(self) -> Rule:
        """The whole rule."""
        while True:
            self._operands()
            while self._word() == ")" and None in self._waiting:
                self._take(")")
                self._element()
                self._flush(Operator.OR)
                self._waiting.pop()
                self._flush(Operator.NOT)
            word = self._word()
            if not word:
                break
            if word not in ("AND", "OR"):
                raise self._unsupported("')', 'AND' or 'OR'")
            self._at += len(word)
            operator = Operator[word]
            self._flush(operator)
            self._waiting.append(operator)
        if None in self._waiting:
            raise self._unsupported("')'")
        self._flush(Operator.OR)
        return Rule(tuple(self._program), tuple(self._children))

    def _operands(self) -> None:
        """Everything up to and with the next operand."""
        while True:
            word = self._word()
            if word == "(":
                self._take("(")
                self._element()
                self._waiting.append(None)
            elif word == "NOT":
                self._at += len(word)
                self._waiting.append(Operator.NOT)
            else:
                self._operand(word)
                self._flush(Operator.NOT)
                return

    def _operand(self, word: str) -> None:
        if word.upper() in _CONSTANTS:
            self._at += len(word)
            self._element()
            self._program.append(_CONSTANTS[word.upper()])
        elif word in tuple(State):
            self._at += len(word)
            self._take("(")
            name = self._alarm(_NAME)
            self._take(")")
            self._program.append(AtLeast(1, State(word), False, (name,)))
        elif word == "AT_LEAST":
            self._at += len(word)
            self._program.append(self._at_least())
        else:
            raise self._unsupported(_OPERAND)

    def _at_least(self) -> AtLeast:
        self._take("(")
        self._word()
        amount = _AMOUNT.match(self._text, self._at)
        if amount is None:
            raise self._unsupported("a number or a percentage")
        self._at = amount.end()
        self._take(",")
        negated = self._word() == "NOT"
        if negated:
            self._at += len("NOT")
        word = self._word()
        if word not in tuple(State):
            raise self._unsupported("ALARM, OK, or INSUFFICIENT_DATA")
        self._at += len(word)
        self._take(",")
        self._take("(")
        alarms = [self._alarm(_LISTED)]
        while self._word() == ",":
            self._take(",")
            alarms.append(self._alarm(_LISTED))
        self._take(")")
        self._take(")")
        number, percent = int(amount[2]), bool(amount[3])
        if not 1 <= number <= (100 if percent else len(alarms)):
            raise RuleError(f"Error in AlarmRule [AT_LEAST {amount[0]} of {len(alarms)} alarms]")
        least = -(-number * len(alarms) // 100) if percent else number
        return AtLeast(least, State(word), negated, tuple(alarms))

    def _alarm(self, plain: re.Pattern[str]) -> str:
        self._word()
        quoted = _QUOTED.match(self._text, self._at)
        found = quoted or plain.match(self._text, self._at)
        if found is None:
            raise self._unsupported("the name or the ARN of an alarm")
        self._at = found.end()
        name = found[0] if quoted is None else re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
        self._element()
        self._children[name] = None
        if len(self._children) > CHILDREN_MAX:
            raise RuleError(f"Error in AlarmRule [more than {CHILDREN_MAX} alarms]")
        return name

    def _flush(self, down_to: Operator) -> None:
        """Let go of the operators that bind at least as tight, back to an open parenthesis."""
        waiting = self._waiting
        while waiting:
            last = waiting[-1]
            if last is None or last.value < down_to.value:
                return
            self._program.append(last)
            waiting.pop()

    def _element(self) -> None:
        self._elements += 1
        if self._elements > ELEMENTS_MAX:
            raise RuleError(f"Error in AlarmRule [more than {ELEMENTS_MAX} elements]")

    def _word(self) -> str:
        """The word that comes next; none at the end."""
        space = _SPACE.match(self._text, self._at)
        self._at = self._at if space is None else space.end()
        found = _WORD.match(self._text, self._at)
        return "" if found is None else found[0]

    def _take(self, sign: str) -> None:
        if self._word() != sign:
            raise self._unsupported(f"'{sign}'")
        self._at += len(sign)

    def _unsupported(self, wanted: str) -> RuleError:
        word = self._word()[:_SHOWN_MAX]
        return RuleError(
            f"Error in AlarmRule [Unsupported token '{word}' at char {self._at}, must be: {wanted}]"
        )

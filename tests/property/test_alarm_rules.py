"""Composite alarms: any rule, however written, comes to what its tree comes to; and in any graph
alarms follow in an order that gives each one look.
"""

from hypothesis import given
from hypothesis import strategies as st

from alonzo.services.cloudwatch.alarms.composite.graph import on_cycles, order_of
from alonzo.services.cloudwatch.alarms.composite.rule import evaluate, parse_rule
from alonzo.services.cloudwatch.alarms.evaluation import State

NAMES = ("a", "b-1", "c d", "e(f)", 'g"h\\', "NOT", "i,j")
STATES = st.fixed_dictionaries({name: st.sampled_from(State) for name in NAMES})
SPACE = st.sampled_from(["", " ", "\n\t"])


def leaves():
    asked = st.tuples(st.just("state"), st.sampled_from(State), st.sampled_from(NAMES))
    least = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).flatmap(
        lambda names: st.tuples(
            st.just("least"),
            st.integers(1, len(names)),
            st.booleans(),
            st.sampled_from(State),
            st.just(names),
        )
    )
    return st.one_of(st.tuples(st.just("constant"), st.booleans()), asked, least)


TREES = st.recursive(
    leaves(),
    lambda below: st.one_of(
        st.tuples(st.just("NOT"), below),
        st.tuples(st.sampled_from(["AND", "OR"]), below, below),
    ),
    max_leaves=12,
)


def worth(tree, states):
    """What a tree comes to, by its definition."""
    kind, *rest = tree
    if kind == "constant":
        return rest[0]
    if kind == "state":
        return states[rest[1]] is rest[0]
    if kind == "least":
        number, negated, state, names = rest
        return sum((states[name] is state) != negated for name in names) >= number
    if kind == "NOT":
        return not worth(rest[0], states)
    left, right = (worth(each, states) for each in rest)
    return (left and right) if kind == "AND" else (left or right)


def quoted(name, draw):
    plain = name in ("a", "b-1", "NOT")
    if plain and draw(st.booleans()):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def written(tree, draw, outer=0):
    """A tree as text, with more parentheses than needed now and then. ``outer`` binds tighter."""
    kind, *rest = tree
    gap = draw(SPACE)
    if kind == "constant":
        text = str(rest[0]).upper()
    elif kind == "state":
        text = f"{rest[0]}{gap}({gap}{quoted(rest[1], draw)}{gap})"
    elif kind == "least":
        number, negated, state, names = rest
        listed = f"{gap},".join(quoted(name, draw) for name in names)
        text = f"AT_LEAST({number}{gap},{'NOT ' * negated}{state},{gap}({listed}))"
    elif kind == "NOT":
        text = f"NOT {written(rest[0], draw, 3)}"
    else:
        binds = 1 if kind == "OR" else 2
        left, right = (written(each, draw, binds) for each in rest)
        text = f"{left} {kind} {right}"
        if binds < outer:
            return f"({gap}{text}{gap})"
    return f"({text})" if draw(st.booleans()) else text


@given(TREES, STATES, STATES, st.data())
def test_a_rule_comes_to_what_its_tree_does_and_only_its_reasons_matter(tree, states, others, data):
    rule = parse_rule(written(tree, data.draw))
    answer = evaluate(rule, states)
    assert answer.holds is worth(tree, states)
    # Whatever the other alarms do, those that are given as the reason suffice.
    changed = {name: states[name] if name in answer.because else others[name] for name in NAMES}
    assert evaluate(rule, changed).holds is answer.holds


NODES = "abcdef"
GRAPHS = st.fixed_dictionaries(
    {node: st.lists(st.sampled_from(NODES), max_size=3, unique=True) for node in NODES}
)


def reach(graph, start):
    """All that something leads to, itself included only if it is on a cycle."""
    found, waiting = set(), list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += graph[node]
    return found


@given(GRAPHS)
def test_alarms_come_after_all_they_look_at_and_those_on_cycles_never(graph):
    order, frozen = order_of(graph), on_cycles(graph)
    cyclic = {node for node in NODES if node in reach(graph, node)}
    # On a cycle, or on the way from one to another.
    between = {
        node
        for node in NODES
        if cyclic & reach(graph, node) and any(node in reach(graph, each) for each in cyclic)
    }
    assert frozen == cyclic | between
    followers = {each for over in graph.values() for each in over}
    assert sorted(order) == sorted(followers - frozen)
    places = {node: place for place, node in enumerate(order)}
    for node in order:
        assert all(places[node] < places[over] for over in graph[node] if over not in frozen)

"""Batches and retries of event sources, for any items, limits and failures."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from alonzo.eventsources.batching import BatchRule, OpenBatch, payload_of
from alonzo.eventsources.items import Item
from alonzo.eventsources.retrying import Attempted, Discard, after_failure
from alonzo.eventsources.settings import Settings


def item(number, size=1):
    return Item(
        id=str(number),
        document=b"x" * size,
        metadata={},
        data="",
        data_key="body",
        handle="",
        arrived_at_s=0.0,
    )


@given(
    st.lists(st.lists(st.integers(1, 60), max_size=10), max_size=8),
    st.integers(1, 7),
    st.integers(12, 150),
)
def test_batches_keep_the_order_and_the_limits(receives, items_max, bytes_max):
    batch = OpenBatch(BatchRule(items_max, bytes_max))
    items = [[item(f"{n}/{m}", size) for m, size in enumerate(r)] for n, r in enumerate(receives)]
    for each in items:
        batch.add(each, 0.0)
    batches = batch.take()
    assert [i for b in batches for i in b] == [i for each in items for i in each]
    assert all(1 <= len(b) <= items_max for b in batches)
    assert all(len(payload_of(b)) <= bytes_max or len(b) == 1 for b in batches)


@given(
    st.integers(1, 12),
    st.sets(st.integers(0, 11)),
    st.booleans(),
    st.integers(0, 3),
    st.booleans(),
)
def test_every_record_is_done_or_given_up_in_order(count, poison, bisect, retries_max, partial):
    """A shard's batch comes to its end, whatever fails for ever in it."""
    settings = Settings(10, bisect=bisect, retries_max=retries_max, partial=partial)
    items = [item(number) for number in range(count)]
    todo, over, calls = deque([Attempted(tuple(items))]), [], 0
    while todo:
        calls += 1
        assert calls < 200
        batch = todo.popleft()
        failed = [each for each in batch.items if int(each.id) in poison]
        if failed and not partial:
            failed = list(batch.items)
        if not failed:
            over += batch.items
            continue
        over += batch.items[: batch.items.index(failed[0])]
        following = after_failure(batch, failed, settings)
        if isinstance(following, Discard):
            over += following.items
        else:
            todo.extendleft(reversed(following))
        if bisect and isinstance(following, Discard):
            # Nothing is given up that is not to blame.
            assert {int(each.id) for each in following.items} <= poison
    assert over == items

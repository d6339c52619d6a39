"""Pages of keys against a model that looks at all of them."""

from hypothesis import given
from hypothesis import strategies as st

from alonzo.services.s3.buckets.pages import Cursor, Wanted, cursor_behind, one_page, successor
from alonzo.services.s3.records import ObjectVersion

KEYS = st.lists(st.text("ab/\U0010ffff", min_size=1, max_size=5), max_size=12, unique=True)
PARTS = st.text("ab/", max_size=2)


def version(key, number):
    return ObjectVersion(number, 1, key, str(number), False, False, 0, "", 0.0, "o")


class Reader:
    """Reads from a sorted list, and counts what it reads."""

    def __init__(self, versions):
        self.versions = sorted(versions, key=lambda each: (each.key, -each.id))
        self.rows = 0

    def __call__(self, cursor, stop, limit):
        found = [each for each in self.versions if self.is_behind(each, cursor) and each.key < stop]
        self.rows += len(found[:limit])
        return found[:limit]

    @staticmethod
    def is_behind(each, cursor):
        if cursor.below is None:
            return each.key >= cursor.start
        return each.key > cursor.start or (each.key == cursor.start and each.id < cursor.below)


def expected(versions, wanted):
    """Entries and groups in their order: everything that there is."""
    found = []
    for each in sorted(versions, key=lambda each: (each.key, -each.id)):
        if not each.key.startswith(wanted.prefix):
            continue
        rest = each.key.removeprefix(wanted.prefix)
        at = rest.find(wanted.delimiter) if wanted.delimiter else -1
        if at < 0:
            found.append((each.key, each.id))
            continue
        group = wanted.prefix + rest[: at + len(wanted.delimiter)]
        if group not in found:
            found.append(group)
    return found


def shown(page):
    return [*((each.key, each.id) for each in page.entries), *page.prefixes]


def place(item):
    return item if isinstance(item, tuple) else (item, 0)


@given(KEYS, PARTS, PARTS, st.integers(1, 4), st.booleans())
def test_pages_together_show_everything_once(keys, prefix, delimiter, limit, versioned):
    numbers = (2, 1) if versioned else (1,)
    versions = [version(key, number) for key in keys for number in numbers]
    wanted = Wanted(prefix, delimiter, limit)
    reader, cursor, found = Reader(versions), Cursor(prefix), []
    for _ in range(len(versions) + 1):
        page = one_page(wanted, cursor, reader)
        assert len(page.entries) + len(page.prefixes) <= limit
        found += shown(page)
        if page.last is None:
            break
        if isinstance(page.last, str):
            cursor = cursor_behind(page.last, wanted)
        else:
            cursor = Cursor(page.last.key, page.last.id)
    everything = expected(versions, wanted)
    assert sorted(found, key=place) == sorted(everything, key=place)
    assert len(found) == len(everything)


@given(KEYS, PARTS, PARTS)
def test_a_page_begins_behind_a_name(keys, prefix, after):
    wanted = Wanted(prefix, "", 100)
    page = one_page(wanted, cursor_behind(after, wanted), Reader([version(key, 1) for key in keys]))
    assert [each.key for each in page.entries] == sorted(
        key for key in keys if key.startswith(prefix) and key > after
    )


@given(st.text(max_size=4), st.text(max_size=4))
def test_the_successor_is_behind_all_that_begin_alike(text, more):
    after = successor(text)
    assert text + more < after
    after.encode()


def test_what_a_common_prefix_stands_for_is_skipped():
    reader = Reader([version(f"{group}/{n:04}", 1) for group in "abc" for n in range(2000)])
    page = one_page(Wanted("", "/", 10), Cursor(""), reader)
    assert page.prefixes == ["a/", "b/", "c/"]
    assert reader.rows < 100

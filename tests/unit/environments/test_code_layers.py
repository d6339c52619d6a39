"""Merged trees of layers: later over earlier, made once, whole or absent, and nothing escapes."""

import asyncio
import errno
import hashlib
import io
import os
import stat
import zipfile
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alonzo.environments.code import UNUSED_S, CodeTrees
from alonzo.environments.merging import merge
from alonzo.lib import faults
from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.zips import ZipError
from alonzo.model.functions import layers_tree
from alonzo.model.ports.code import CodeError

FILE, EXECUTABLE, LINK = 0o100644, 0o100755, 0o120777


@pytest.fixture(autouse=True)
def _no_armed_faults():
    yield
    faults.disarm()


def layer(entries):
    """A zip. A value is a file's content, or a pair of content (a link's target) and mode."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, value in entries.items():
            content, mode = value if isinstance(value, tuple) else (value, FILE)
            entry = zipfile.ZipInfo(name, (2026, 11, 20, 10, 0, 0))
            entry.create_system, entry.external_attr = 3, mode << 16
            zipped.writestr(entry, content)
    return out.getvalue()


class Blobs:
    """Packages in memory, by digest."""

    def __init__(self):
        self.content = {}
        self.reads = []

    def put(self, entries):
        data = entries if isinstance(entries, bytes) else layer(entries)
        digest = hashlib.sha256(data).hexdigest()
        self.content[digest] = data
        return digest

    async def read(self, sha256):
        self.reads.append(sha256)
        return self.content[sha256]


@asynccontextmanager
async def opened(folder, blobs, clock=None):
    trees = CodeTrees(folder, blobs, SequentialIds(), clock=clock or ManualClock())
    try:
        yield trees
    finally:
        await trees.close()


def content(root):
    """What a tree holds: path -> text of a file, target of a link in a tuple, None for a folder."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            if os.path.islink(path):
                value = (os.readlink(path),)
            elif os.path.isdir(path):
                value = None
            else:
                with open(path) as file:
                    value = file.read()
            found[os.path.relpath(path, root)] = value
    return found


def merged(tmp_path, *layers):
    """What the merged tree of these layers holds."""

    async def main():
        blobs = Blobs()
        async with opened(tmp_path, blobs) as trees:
            return await trees.prepare_layers(tuple(map(blobs.put, layers)))

    return content(asyncio.run(main()))


def test_folders_become_one_and_later_files_replace_earlier_ones(tmp_path):
    assert merged(
        tmp_path,
        {"python/a.py": "1", "python/b.py": "1", "bin/tool": "1"},
        {"python/b.py": "2", "lib/x.so": "2"},
        {"python/c.py": "3", "lib/x.so": "3"},
    ) == {
        "python": None,
        "python/a.py": "1",
        "python/b.py": "2",
        "python/c.py": "3",
        "bin": None,
        "bin/tool": "1",
        "lib": None,
        "lib/x.so": "3",
    }


@pytest.mark.parametrize(
    ("below", "above", "result"),
    [
        ({"p/q/r": "1"}, {"p": "2"}, {"p": "2"}),
        ({"p": "1"}, {"p/q/r": "2"}, {"p": None, "p/q": None, "p/q/r": "2"}),
        ({"p/q": "1"}, {"p": ("x", LINK)}, {"p": ("x",)}),
        (
            {"p": ("q", LINK), "q/a": "1"},
            {"p/a": "2"},
            {"p": None, "p/a": "2", "q": None, "q/a": "1"},
        ),
        ({"p": ("x", LINK)}, {"p": "2"}, {"p": "2"}),
        ({"p": "1"}, {"p": ("x", LINK)}, {"p": ("x",)}),
        ({"p": ("x", LINK)}, {"p": ("y", LINK)}, {"p": ("y",)}),
        ({"p/q": "1"}, {"p/": ""} | {"z": "2"}, {"p": None, "p/q": "1", "z": "2"}),
    ],
)
def test_what_cannot_be_merged_is_replaced_by_the_later_layer(tmp_path, below, above, result):
    assert merged(tmp_path, below, above) == result


def test_three_layers_that_take_turns_leave_only_the_last(tmp_path):
    assert merged(tmp_path, {"p/old": "1"}, {"p": "2"}, {"p/new": "3"}) == {
        "p": None,
        "p/new": "3",
    }


def test_no_file_is_written_through_a_link_of_an_earlier_layer(tmp_path):
    result = merged(tmp_path, {"lib": ("real", LINK), "real/a": "1"}, {"lib/a": "2"})
    assert result["real/a"] == "1"


def test_modes_and_times_of_files_are_those_of_the_layer(tmp_path):
    async def main():
        blobs = Blobs()
        async with opened(tmp_path, blobs) as trees:
            root = await trees.prepare_layers(
                (
                    blobs.put({"extensions/one": ("#!/bin/sh\n", EXECUTABLE)}),
                    blobs.put({"extensions/two": ("#!/bin/sh\n", EXECUTABLE), "data": "x"}),
                )
            )
            modes = {
                name: stat.S_IMODE((root / name).stat().st_mode)
                for name in ("extensions", "extensions/one", "extensions/two", "data")
            }
            assert modes == {
                "extensions": 0o755,
                "extensions/one": 0o755,
                "extensions/two": 0o755,
                "data": 0o644,
            }
            times = {(root / name).stat().st_mtime for name in ("extensions/one", "data")}
            assert len(times) == 1

    asyncio.run(main())


def test_files_are_links_and_cost_no_space(tmp_path):
    async def main():
        blobs = Blobs()
        digests = (blobs.put({"a": "1"}), blobs.put({"b": "2"}))
        async with opened(tmp_path, blobs) as trees:
            root = await trees.prepare_layers(digests)
            assert (root / "a").samefile(tmp_path / digests[0] / "a")

    asyncio.run(main())


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP])
def test_files_are_copied_where_the_file_system_refuses_a_link(tmp_path, monkeypatch, number):
    def refuse(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    assert merged(tmp_path, {"x/a": ("1", EXECUTABLE), "b": "1"}, {"b": "2"}) == {
        "x": None,
        "x/a": "1",
        "b": "2",
    }
    tool = next(
        path for path in tmp_path.glob("*/x/a") if (path.parents[1] / "b").read_text() == "2"
    )
    assert stat.S_IMODE(tool.stat().st_mode) == 0o755
    assert tool.stat().st_nlink == 1


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    async def main():
        blobs = Blobs()
        digests = (blobs.put({"a": "1"}), blobs.put({"b": "2"}))
        async with opened(tmp_path, blobs) as trees:
            for digest in digests:
                await trees.prepare(digest)

            def fail(*_args, **_kwargs):
                raise OSError(errno.ENOSPC, "no space left")

            with monkeypatch.context() as patched:
                patched.setattr(os, "link", fail)
                with pytest.raises(OSError, match="no space"):
                    await trees.prepare_layers(digests)
            assert sorted(os.listdir(tmp_path)) == sorted(digests)
            assert content(await trees.prepare_layers(digests)) == {"a": "1", "b": "2"}

    asyncio.run(main())


def test_links_that_only_leave_the_tree_when_merged_are_refused(tmp_path):
    # Alone, the link ends at the root of its layer; with `d/e` moved up it would end above it.
    below = {"d/e/file": "1", "out": ("d/e/../..", LINK)}
    above = {"d/e": ("../f", LINK), "f/file": "2"}

    async def main():
        blobs = Blobs()
        digests = (blobs.put(below), blobs.put(above))
        async with opened(tmp_path, blobs) as trees:
            with pytest.raises(CodeError, match="'out' leaves"):
                await trees.prepare_layers(digests)
            assert sorted(os.listdir(tmp_path)) == sorted(digests)

    asyncio.run(main())


def test_links_that_only_go_in_circles_when_merged_are_refused(tmp_path):
    below = {"a": ("b", LINK), "b/file": "1"}
    above = {"b": ("a", LINK), "a": "2"}
    again = {"a": ("b", LINK)}
    for number, entries in enumerate((below, above, again)):
        (tmp_path / str(number)).mkdir()
        for name, value in entries.items():
            path = tmp_path / str(number) / name
            path.parent.mkdir(exist_ok=True)
            if isinstance(value, tuple):
                path.symlink_to(value[0])
            else:
                path.write_text(value)
    (tmp_path / "out").mkdir()
    with pytest.raises(ZipError, match="circles"):
        merge([tmp_path / n for n in "012"], tmp_path / "out", entries_max=100)


def test_layers_are_bounded_together_by_what_one_package_may_hold(tmp_path):
    async def main():
        blobs = Blobs()
        digests = tuple(blobs.put({f"{n}/a": "", f"{n}/b": ""}) for n in range(3))
        trees = CodeTrees(tmp_path, blobs, SequentialIds(), clock=ManualClock(), entries_max=6)
        try:
            assert len(content(await trees.prepare_layers(digests[:2]))) == 6
            with pytest.raises(CodeError, match="more than 6 files and folders together"):
                await trees.prepare_layers(digests)
            assert layers_tree(digests) not in os.listdir(tmp_path)
        finally:
            await trees.close()

    asyncio.run(main())


def test_the_order_of_layers_makes_another_tree(tmp_path):
    async def main():
        blobs = Blobs()
        one, two = blobs.put({"a": "1"}), blobs.put({"a": "2"})
        async with opened(tmp_path, blobs) as trees:
            first = await trees.prepare_layers((one, two))
            second = await trees.prepare_layers((two, one))
            assert (content(first), content(second)) == ({"a": "2"}, {"a": "1"})
            assert first.name == layers_tree((one, two))

    asyncio.run(main())


def test_one_layer_needs_no_tree_of_its_own_and_none_at_all_is_an_empty_one(tmp_path):
    async def main():
        blobs, clock = Blobs(), ManualClock()
        one = blobs.put({"a": "1"})
        async with opened(tmp_path, blobs, clock) as trees:
            assert await trees.prepare_layers((one,)) == tmp_path / one
            empty = await trees.prepare_layers(())
            assert content(empty) == {}
            clock.advance(10 * UNUSED_S)
            assert await trees.keep_only(frozenset()) == 1
            assert os.listdir(tmp_path) == [empty.name]

    asyncio.run(main())


def test_the_same_layer_twice_is_itself(tmp_path):
    assert merged(tmp_path, {"a/b": "1"}, {"a/b": "1"}) == {"a": None, "a/b": "1"}


def test_a_tree_is_merged_once_for_all_who_ask(tmp_path):
    async def main():
        blobs = Blobs()
        digests = (blobs.put({"a": "1"}), blobs.put({"b": "2"}))
        merges = []
        faults.arm("code.flushed", lambda: merges.append(1))
        async with opened(tmp_path, blobs) as trees:
            places = await asyncio.gather(*(trees.prepare_layers(digests) for _ in range(5)))
            assert set(places) == {tmp_path / layers_tree(digests)}
            assert sorted(blobs.reads) == sorted(digests)
            assert len(merges) == 3

    asyncio.run(main())


def test_a_bad_layer_is_refused_and_leaves_nothing_of_the_merged_tree(tmp_path):
    async def main():
        blobs = Blobs()
        good, bad = blobs.put({"a": "1"}), blobs.put(b"no zip")
        async with opened(tmp_path, blobs) as trees:
            with pytest.raises(CodeError):
                await trees.prepare_layers((good, bad))
            assert os.listdir(tmp_path) == [good]

    asyncio.run(main())


@pytest.mark.parametrize("reached", [1, 2, 3])
def test_what_fails_at_any_flush_leaves_no_half_tree_and_can_be_tried_again(tmp_path, reached):
    async def main():
        blobs = Blobs()
        digests = (blobs.put({"a": "1"}), blobs.put({"b": "2"}))
        count = 0

        def fail():
            nonlocal count
            count += 1
            if count == reached:
                raise OSError("power cut")

        async with opened(tmp_path, blobs) as trees:
            faults.arm("code.flushed", fail)
            with pytest.raises(OSError, match="power cut"):
                await trees.prepare_layers(digests)
            assert set(os.listdir(tmp_path)) <= set(digests)
            assert content(await trees.prepare_layers(digests)) == {"a": "1", "b": "2"}

    asyncio.run(main())


def test_a_merged_tree_outlives_the_trees_that_it_was_made_of(tmp_path):
    async def main():
        blobs, clock = Blobs(), ManualClock()
        digests = (blobs.put({"a": "1"}), blobs.put({"b": "2"}))
        async with opened(tmp_path, blobs, clock) as trees:
            root = await trees.prepare_layers(digests)
            clock.advance(UNUSED_S)
            assert await trees.keep_only(frozenset({root.name})) == 2
            assert content(root) == {"a": "1", "b": "2"}
            clock.advance(UNUSED_S)
            assert await trees.keep_only(frozenset()) == 1
            assert os.listdir(tmp_path) == []

    asyncio.run(main())


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
LAYERS = st.lists(
    st.dictionaries(PATHS, st.sampled_from(["x", "y", ("a", LINK), ("b/c", LINK)]), min_size=1),
    min_size=2,
    max_size=4,
)


def consistent(entries):
    """The entries that can be in one zip: no file or link is also a folder."""
    return {
        path: value
        for path, value in entries.items()
        if not any(other.startswith(f"{path}/") for other in entries)
    }


def expected(layers):
    """The rule, told the slow way: entry after entry onto a dictionary."""
    tree = {}
    for entries in layers:
        for path, value in entries.items():
            parts = path.split("/")
            for depth in range(1, len(parts)):
                parent = "/".join(parts[:depth])
                if tree.get(parent) is not None:
                    tree.pop(parent)
                tree[parent] = None
            for other in [key for key in tree if key.startswith(f"{path}/")]:
                del tree[other]
            tree[path] = (value[0],) if isinstance(value, tuple) else value
    return tree


@settings(max_examples=80, deadline=None)
@given(layers=LAYERS)
def test_merging_is_laying_entry_after_entry_in_order(tmp_path_factory, layers):
    layers = [consistent(entries) for entries in layers]
    folder = tmp_path_factory.mktemp("merge")
    try:
        result = merged(folder, *layers)
    except CodeError:
        return  # Links in circles: a layer's own, or only of them all.
    assert result == expected(layers)

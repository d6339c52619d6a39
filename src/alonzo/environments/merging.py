"""Several unpacked layers as one tree, for ``/opt``: later layers over earlier ones.

* Folders of the same path become one. Any other entry replaces whatever an earlier layer has at
  its path: a file or a link in the place of a folder takes all of the folder away, and a folder in
  the place of a file or a link takes that away. So no path ever leads through a link while the
  tree is made.
* Files are hard links to those of the layers, which nobody ever writes to; where the file system
  refuses a link they are copies. Modes and times of change are the same either way.
* Links that were harmless in their own layer may leave the merged tree, so all are followed again.

AWS documents that layers are extracted in order, and not what becomes of such conflicts.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from alonzo.lib import zips
from alonzo.lib.zips import ZipError, ZipFault

#: The file system cannot link this file: it lies elsewhere, has too many links, or no links exist.
_NO_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})


def merge(layers: Sequence[Path], folder: Path, *, entries_max: int) -> None:
    """Merge the trees ``layers``, the last one on top, into ``folder``, which must be empty.

    Nothing is flushed to the disk. If anything fails, ``folder`` is left half made.

    Raises:
        ZipError: the layers have more than ``entries_max`` files, links and folders together, or a
            link of the merged tree leads out of it or goes round in circles.
        OSError: writing failed.
    """
    left = entries_max
    for layer in layers:
        left = _lay(layer, folder, left)
        if left < 0:
            raise ZipError(
                ZipFault.UNSAFE,
                f"the layers hold more than {entries_max} files and folders together",
            )
    zips.check_links(_links(folder))


def _lay(layer: Path, folder: Path, entries_max: int) -> int:
    """Lay one tree over ``folder``; answers how many entries are left of ``entries_max``."""
    left = entries_max
    waiting = [(str(layer), str(folder))]
    while waiting:
        source, target = waiting.pop()
        with os.scandir(source) as entries:
            for entry in entries:
                left -= 1
                if left < 0:
                    return left
                place = os.path.join(target, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    _put_folder(place)
                    waiting.append((entry.path, place))
                else:
                    _put(entry, place)
    return left


def _put_folder(place: str) -> None:
    if os.path.isdir(place) and not os.path.islink(place):
        return
    if os.path.lexists(place):
        os.unlink(place)
    os.mkdir(place)
    Path(place).chmod(0o755)


def _put(entry: os.DirEntry[str], place: str) -> None:
    try:
        _make(entry, place)
    except FileExistsError:
        if os.path.isdir(place) and not os.path.islink(place):
            shutil.rmtree(place)
        else:
            os.unlink(place)
        _make(entry, place)


def _make(entry: os.DirEntry[str], place: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), place)
        return
    try:
        os.link(entry.path, place)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copy2(entry.path, place)


def _links(folder: Path) -> dict[tuple[str, ...], str]:
    """Every symbolic link below ``folder``: its path, component by component, and its target."""
    found: dict[tuple[str, ...], str] = {}
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        parts = waiting.pop()
        with os.scandir(folder.joinpath(*parts)) as entries:
            for entry in entries:
                if entry.is_symlink():
                    found[*parts, entry.name] = os.readlink(entry.path)
                elif entry.is_dir():
                    waiting.append((*parts, entry.name))
    return found

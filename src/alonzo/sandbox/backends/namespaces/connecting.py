"""The second half of a connection that pid 1 of a sandbox has begun."""

from __future__ import annotations

import asyncio
import errno
import os
import socket


async def connected(peer: socket.socket, *, within_s: float, what: str) -> socket.socket:
    """``peer``, once its connection stands; closed if it does not come to that.

    Raises:
        OSError: nobody listens there, or nobody answered in time; ``what`` is in the text.
    """
    try:
        async with asyncio.timeout(within_s):
            await _wait_connected(peer)
    except TimeoutError as err:
        peer.close()
        raise TimeoutError(errno.ETIMEDOUT, what) from err
    except BaseException:
        peer.close()
        raise
    return peer


async def _wait_connected(peer: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    writable = loop.create_future()
    loop.add_writer(peer.fileno(), lambda: writable.done() or writable.set_result(None))
    try:
        await writable
    finally:
        loop.remove_writer(peer.fileno())
    number = peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))

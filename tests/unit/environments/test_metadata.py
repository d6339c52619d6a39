"""The metadata endpoint over a real socket."""

import asyncio

import pytest

from alonzo.environments.api_server import ApiServer
from alonzo.environments.metadata import DATE, MetadataApi, zone_id

PATH = b"/2026-01-15/metadata/execution-environment"


async def answers(*requests):
    """What each request line and its headers are answered, on one connection."""
    server = ApiServer()
    server.mount(DATE, MetadataApi("eu-central-1", "s3cret"))
    listening = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    sock = listening.sockets[0]
    with sock.dup() as ours:
        listening.close()
        await server.serve(ours)
        found = []
        for request in requests:
            reader, writer = await asyncio.open_connection(*ours.getsockname())
            writer.write(request + b"Connection: close\r\n\r\n")
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            found.append((int(head.split()[1]), head.decode(), body))
        server.close()
    return found


def test_it_tells_the_zone_to_who_knows_the_token():
    line = b" HTTP/1.1\r\nAuthorization: Bearer "
    right, wrong, post, elsewhere, without = asyncio.run(
        answers(
            b"GET " + PATH + line + b"s3cret\r\n",
            b"GET " + PATH + line + b"\xe9ther\r\n",
            b"POST " + PATH + line + b"s3cret\r\n",
            b"GET " + PATH + b"s" + line + b"s3cret\r\n",
            b"GET " + PATH + b" HTTP/1.1\r\n",
        )
    )
    assert (right[0], right[2]) == (200, b'{"AvailabilityZoneID":"euc1-az1"}')
    assert "Content-Type: application/json" in right[1]
    assert "Cache-Control: private, max-age=43200, immutable" in right[1]
    assert [each[0] for each in (wrong, post, elsewhere, without)] == [401, 405, 404, 401]


@pytest.mark.parametrize(
    ("region", "zone"),
    [
        ("us-east-1", "use1-az1"),
        ("ap-northeast-2", "apne2-az1"),
        ("us-gov-west-1", "usgw1-az1"),
        ("cellar", "cellar-az1"),
    ],
)
def test_a_zone_is_named_after_its_region(region, zone):
    assert zone_id(region) == zone

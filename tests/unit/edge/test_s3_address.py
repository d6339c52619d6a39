"""Which bucket a host names."""

import pytest

from alonzo.edge.s3.address import bucket_in

NAMES = frozenset({"box.localhost", "box.example", "s3-box.localhost"})


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        (b"localhost:4566", None),
        (b"bucket.localhost:4566", "bucket"),
        (b"my.bucket.localhost", "my.bucket"),
        (b"bucket.s3.localhost", "bucket"),
        (b"box.localhost:4566", None),
        (b"BOX.localhost.", None),
        (b"s3.box.localhost", None),
        (b"s3-box.localhost", None),
        (b"bucket.box.localhost", "bucket"),
        (b"bucket.s3.box.localhost", "bucket"),
        (b"box.example", None),
        (b"bucket.s3.box.example", "bucket"),
        (b"127.0.0.1:4566", None),
        (b"[::1]:4566", None),
    ],
)
def test_a_name_of_the_platform_is_no_bucket(host, bucket):
    assert bucket_in(host, NAMES) == bucket

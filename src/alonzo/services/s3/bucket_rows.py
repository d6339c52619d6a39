"""Buckets in the store. Runs inside units of work."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from alonzo.services.s3.records import Bucket
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.s3")

#: Changes of buckets are published under this topic, with the id of the bucket as key.
CHANGES_TOPIC = "s3.buckets"


def next_number(conn: Connection) -> int:
    """A number that was never used: for buckets, versions, uploads and revisions."""
    row = conn.one(Q.next_number)
    assert row is not None
    return row["last"]


def bucket_from(row: Row) -> Bucket:
    """A bucket from a row of ``s3_bucket``."""
    return Bucket(
        id=row["id"],
        revision=row["revision"],
        name=row["name"],
        account=row["account"],
        region=row["region"],
        created_at_s=row["created_at_s"],
        versioning=row["versioning"],
        documents=orjson.loads(row["documents"]),
    )


def every_bucket(conn: Connection) -> list[Bucket]:
    """All buckets there are."""
    return list(map(bucket_from, conn.all(Q.every_bucket)))


def try_find_bucket(conn: Connection, bucket_id: int) -> Bucket | None:
    """The bucket of that id, or None: it is deleted."""
    row = conn.one(Q.find_bucket, {"id": bucket_id})
    return None if row is None else bucket_from(row)


def try_find_bucket_by_name(conn: Connection, name: str) -> Bucket | None:
    """The bucket of that name, or None."""
    row = conn.one(Q.find_bucket_by_name, {"name": name})
    return None if row is None else bucket_from(row)


def insert_bucket(
    conn: Connection,
    name: str,
    account: str,
    region: str,
    documents: Mapping[str, str],
    now_s: float,
) -> int:
    """Make a bucket; answers its id."""
    bucket_id = next_number(conn)
    conn.execute(
        Q.insert_bucket,
        {
            "id": bucket_id,
            "revision": bucket_id,
            "name": name,
            "account": account,
            "region": region,
            "documents": orjson.dumps(documents).decode(),
            "now_s": now_s,
        },
    )
    return bucket_id


def save_bucket(
    conn: Connection, bucket_id: int, versioning: str, documents: Mapping[str, str]
) -> None:
    """Replace what can be changed of a bucket."""
    row = {"id": bucket_id, "revision": next_number(conn), "versioning": versioning}
    conn.execute(Q.set_bucket, {**row, "documents": orjson.dumps(documents).decode()})


def delete_bucket(conn: Connection, bucket_id: int) -> None:
    """Delete a bucket. The caller has made sure that it is empty."""
    conn.execute(Q.delete_bucket, {"id": bucket_id})

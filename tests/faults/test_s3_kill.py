"""Kills while objects are put, overwritten, deleted and put together from parts."""

import contextlib
import hashlib
import itertools
import random
import sqlite3
import threading
import time

import pytest

from alonzo.testing.waiting import eventually

BUCKET, WRITERS, KEYS, KILLS = "load", 4, 6, 2
#: In the object's row, in a file of its own, and in several chunks of one.
SIZES = (1_000, 60_000, 700_000)
#: That a key has no object.
GONE = None


def content(seed):
    """The bytes of one write; two writers now and then write the same, and share a blob."""
    return hashlib.shake_256(str(seed).encode()).digest(SIZES[seed % len(SIZES)])


class Writer:
    """One client. ``is_now`` has what was acknowledged last, ``may_be`` what a kill cut off."""

    def __init__(self, number):
        self.number = number
        self.is_now = {f"{number}/{key}": GONE for key in range(KEYS)}
        self.may_be = {key: set() for key in self.is_now}
        self.acknowledged = 0
        self._chance = random.Random(number)
        self._seeds = itertools.count()

    def turn(self, s3):
        """Change one object; raises if the daemon dies meanwhile."""
        key, seed = self._chance.choice(list(self.is_now)), next(self._seeds)
        body = GONE if self._chance.random() < 0.25 else content(seed)
        self.may_be[key].add(body)
        if body is GONE:
            s3.delete_object(Bucket=BUCKET, Key=key)
        elif self._chance.random() < 0.3:
            self._put_in_parts(s3, key, body)
        else:
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        self.is_now[key], self.may_be[key] = body, set()
        self.acknowledged += 1

    def _put_in_parts(self, s3, key, body):
        named = {"Bucket": BUCKET, "Key": key}
        named["UploadId"] = s3.create_multipart_upload(**named)["UploadId"]
        part = s3.upload_part(**named, PartNumber=1, Body=body)
        # One that is not listed is forgotten.
        s3.upload_part(**named, PartNumber=2, Body=body[::-1])
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        s3.complete_multipart_upload(**named, MultipartUpload=parts)

    def check(self, s3):
        """Each object is what was acknowledged, or whole what was about to be."""
        for key, body in self.is_now.items():
            found = GONE
            with contextlib.suppress(s3.exceptions.NoSuchKey):
                answer = s3.get_object(Bucket=BUCKET, Key=key)
                found = answer["Body"].read()
                etag = answer["ETag"].strip('"')
                digest = hashlib.md5(found, usedforsecurity=False)
                in_parts = hashlib.md5(digest.digest(), usedforsecurity=False).hexdigest()
                assert etag in (digest.hexdigest(), f"{in_parts}-1"), key
            assert found in {body} | self.may_be[key], key
            self.is_now[key], self.may_be[key] = found, set()


def live(daemon, writers, life_s):
    """Let everybody write until the daemon is killed in the middle of it."""
    killed = threading.Event()

    def write(writer, s3):
        # What a kill cuts off may have been done or not; in the next life that is looked up.
        with contextlib.suppress(Exception):
            while not killed.is_set():
                writer.turn(s3)

    # Clients are made here: their making is not for several threads at once.
    threads = [threading.Thread(target=write, args=(each, daemon.client("s3"))) for each in writers]
    for thread in threads:
        thread.start()
    before = sum(each.acknowledged for each in writers)
    eventually(lambda: sum(each.acknowledged for each in writers) >= before + 20, 30)
    time.sleep(life_s)
    daemon.kill()
    killed.set()
    for thread in threads:
        thread.join()
    daemon.start()


def files(daemon):
    return {path.name for path in (daemon.data_dir / "objects").iterdir()} - {"key-check"}


def counts(daemon):
    """How often each blob is used: as it is counted, and as it is."""
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "alonzo.db")) as db:
        counted = dict(db.execute("SELECT sha256, refs FROM s3_blob"))
        used = dict(db.execute("SELECT sha256, COUNT(*) FROM s3_piece GROUP BY sha256"))
        return counted, used


@pytest.mark.nightly
def test_objects_outlive_kills_whole_and_nothing_else_does(own_platform):
    daemon, chance = own_platform(), random.Random(5)
    daemon.client("s3").create_bucket(Bucket=BUCKET)
    writers = [Writer(number) for number in range(WRITERS)]
    for _ in range(KILLS):
        live(daemon, writers, chance.random() / 4)
        for writer in writers:
            writer.check(daemon.client("s3"))
    # Nothing is made any more: what is counted, used and there is the same.
    eventually(lambda: len({frozenset(each) for each in (*counts(daemon), files(daemon))}) == 1, 20)
    counted, used = counts(daemon)
    assert counted == used
    s3 = daemon.client("s3")
    for key in (key for writer in writers for key in writer.is_now):
        s3.delete_object(Bucket=BUCKET, Key=key)
    for upload in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    eventually(lambda: not files(daemon), 20)

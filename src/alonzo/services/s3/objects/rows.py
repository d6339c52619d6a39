"""Versions, pieces and uploads in the store. Runs inside units of work."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from alonzo.services.s3.records import AtRest, Description, ObjectVersion, Piece, Upload
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.s3.objects")


@dataclass(frozen=True, slots=True)
class Content:
    """Where the bytes of an object are: sealed in ``inline``, or in pieces.

    ``owner_id`` is the version that they belong to.
    """

    owner_id: int
    inline: bytes | None
    pieces: tuple[Piece, ...] = ()


def version_from(row: Row) -> ObjectVersion:
    """A version from a row of ``s3_version``."""
    return ObjectVersion(
        id=row["id"],
        bucket_id=row["bucket_id"],
        key=row["object_key"],
        version_id=row["version_id"],
        is_latest=bool(row["is_latest"]),
        is_delete_marker=bool(row["is_delete_marker"]),
        size=row["size"],
        etag=row["etag"],
        modified_at_s=row["modified_at_s"],
        owner=row["owner"],
        storage_class=row["storage_class"],
        description=_description(orjson.loads(row["document"])),
        tags=orjson.loads(row["tags"]),
    )


def try_latest(conn: Connection, bucket_id: int, key: str) -> ObjectVersion | None:
    """The newest version of an object, which may be a delete marker; None: there is none."""
    row = conn.one(Q.latest, {"bucket_id": bucket_id, "key": key})
    return None if row is None else version_from(row)


def try_version(
    conn: Connection, bucket_id: int, key: str, version_id: str
) -> ObjectVersion | None:
    """One version of an object, or None."""
    named = {"bucket_id": bucket_id, "key": key, "version_id": version_id}
    row = conn.one(Q.find_version, named)
    return None if row is None else version_from(row)


def insert_version(conn: Connection, version: ObjectVersion, content: bytes | None) -> None:
    """Add the newest version of an object. The caller has made place for it."""
    conn.execute(
        Q.insert_version,
        {
            "id": version.id,
            "bucket_id": version.bucket_id,
            "key": version.key,
            "version_id": version.version_id,
            "is_delete_marker": int(version.is_delete_marker),
            "size": version.size,
            "etag": version.etag,
            "modified_at_s": version.modified_at_s,
            "owner": version.owner,
            "storage_class": version.storage_class,
            "document": _document(version.description),
            "tags": _text(version.tags),
            "content": content,
        },
    )


def no_longer_latest(conn: Connection, bucket_id: int, key: str) -> None:
    """Whatever is the newest version of an object is so no longer."""
    conn.execute(Q.no_longer_latest, {"bucket_id": bucket_id, "key": key})


def remove_version(conn: Connection, version: ObjectVersion) -> None:
    """Delete a version for good, and let go of its blobs. The one before may become the newest."""
    release_pieces(conn, version.id)
    conn.execute(Q.delete_version, {"id": version.id})
    if version.is_latest:
        conn.execute(Q.promote_newest, {"bucket_id": version.bucket_id, "key": version.key})


def save_tags(conn: Connection, version_id: int, tags: Mapping[str, str]) -> None:
    """Replace the tags of a version, by its number."""
    conn.execute(Q.set_tags, {"id": version_id, "tags": _text(tags)})


def reseal_version(
    conn: Connection, version_id: int, description: Description, content: bytes | None
) -> None:
    """Replace what is said of a version, by its number, and the bytes that are in its row."""
    row = {"id": version_id, "document": _document(description), "content": content}
    conn.execute(Q.reseal_version, row)


def content_of(conn: Connection, version: ObjectVersion) -> Content:
    """Where the bytes of a version are."""
    row = conn.one(Q.content, {"id": version.id})
    inline = None if row is None else row["content"]
    pieces = () if inline is not None else pieces_of(conn, version.id)
    return Content(version.id, inline, pieces)


# --- pieces


def pieces_of(conn: Connection, owner_id: int) -> tuple[Piece, ...]:
    """All pieces of a version or an upload, in order."""
    return tuple(map(_piece, conn.all(Q.pieces, {"owner_id": owner_id})))


def has_piece(conn: Connection, owner_id: int, piece: Piece) -> bool:
    """Whether a version still has that piece, of that blob."""
    row = conn.one(Q.piece, {"owner_id": owner_id, "number": piece.number})
    return row is not None and row["sha256"] == piece.sha256


def pieces_after(conn: Connection, owner_id: int, after: int, limit: int) -> tuple[Piece, ...]:
    """Some pieces, from the one behind number ``after`` on."""
    named = {"owner_id": owner_id, "after": after, "limit": limit}
    return tuple(map(_piece, conn.all(Q.pieces_after, named)))


def save_piece(conn: Connection, owner_id: int, piece: Piece) -> None:
    """Add a piece, in place of the one that had its number; its blob has one more use."""
    named = {"owner_id": owner_id, "number": piece.number}
    old = conn.one(Q.piece, named)
    if old is not None:
        conn.execute(Q.delete_piece, named)
        conn.execute(Q.release_blob, {"sha256": old["sha256"]})
    conn.execute(Q.use_blob, {"sha256": piece.sha256})
    conn.execute(
        Q.insert_piece,
        {
            **named,
            "size": piece.size,
            "sha256": piece.sha256,
            "etag": piece.etag,
            "checksum": piece.checksum,
            "modified_at_s": piece.modified_at_s,
        },
    )


def give_pieces(conn: Connection, owner_id: int, new_owner_id: int) -> None:
    """Hand the pieces of an upload over to the version that they become."""
    conn.execute(Q.give_pieces, {"owner_id": owner_id, "new_owner_id": new_owner_id})


def release_piece(conn: Connection, owner_id: int, piece: Piece) -> None:
    """Delete one piece; its blob has one use less."""
    conn.execute(Q.delete_piece, {"owner_id": owner_id, "number": piece.number})
    conn.execute(Q.release_blob, {"sha256": piece.sha256})


def release_pieces(conn: Connection, owner_id: int) -> None:
    """Delete all pieces of a version or an upload; their blobs have one use less each time."""
    if conn.one(Q.any_piece, {"owner_id": owner_id}) is None:
        return  # A small object, as most are: to ask costs a fifth of releasing nothing.
    conn.execute(Q.release_blobs, {"owner_id": owner_id})
    conn.execute(Q.delete_pieces, {"owner_id": owner_id})


def _piece(row: Row) -> Piece:
    return Piece(
        number=row["number"],
        size=row["size"],
        sha256=row["sha256"],
        etag=row["etag"],
        checksum=row["checksum"],
        modified_at_s=row["modified_at_s"],
    )


# --- blobs


def unused_blobs(conn: Connection, limit: int) -> list[str]:
    """Some of the blobs that nothing uses."""
    return [row["sha256"] for row in conn.all(Q.unused_blobs, {"limit": limit})]


def is_used(conn: Connection, sha256: str) -> bool:
    """Whether any piece is of that blob."""
    row = conn.one(Q.blob_refs, {"sha256": sha256})
    return row is not None and row["refs"] > 0


def unused_of(conn: Connection, digests: Iterable[str]) -> list[str]:
    """Those of some blobs that no piece is of."""
    return [sha256 for sha256 in digests if not is_used(conn, sha256)]


def forget_blob(conn: Connection, sha256: str) -> None:
    """Take a blob that nothing uses off the list."""
    conn.execute(Q.forget_blob, {"sha256": sha256})


# --- uploads


def insert_upload(conn: Connection, upload: Upload) -> None:
    """Add an upload in parts."""
    conn.execute(
        Q.insert_upload,
        {
            "id": upload.id,
            "upload_id": upload.upload_id,
            "bucket_id": upload.bucket_id,
            "key": upload.key,
            "started_at_s": upload.started_at_s,
            "owner": upload.owner,
            "storage_class": upload.storage_class,
            "document": orjson.dumps(
                {
                    **orjson.loads(_document(upload.description)),
                    "algorithm": upload.algorithm,
                    "type": upload.checksum_type,
                    "asked": dict(upload.asked),
                }
            ).decode(),
            "tags": _text(upload.tags),
        },
    )


def try_upload(conn: Connection, upload_id: str) -> Upload | None:
    """The upload of that id, or None."""
    row = conn.one(Q.find_upload, {"upload_id": upload_id})
    return None if row is None else _upload(row)


def remove_upload(conn: Connection, upload: Upload) -> None:
    """Delete an upload and the parts that it still has."""
    release_pieces(conn, upload.id)
    conn.execute(Q.delete_upload, {"id": upload.id})


def uploads_after(
    conn: Connection, bucket_id: int, key: str, upload_id: str, limit: int
) -> list[Upload]:
    """Uploads by key and id, from behind one of them on."""
    named = {"bucket_id": bucket_id, "key": key, "upload_id": upload_id, "limit": limit}
    return list(map(_upload, conn.all(Q.uploads_page, named)))


def _upload(row: Row) -> Upload:
    document = orjson.loads(row["document"])
    return Upload(
        id=row["id"],
        upload_id=row["upload_id"],
        bucket_id=row["bucket_id"],
        key=row["object_key"],
        started_at_s=row["started_at_s"],
        owner=row["owner"],
        storage_class=row["storage_class"],
        description=_description(document),
        tags=orjson.loads(row["tags"]),
        algorithm=document["algorithm"],
        checksum_type=document["type"],
        asked=document.get("asked", {}),
    )


def _document(description: Description) -> str:
    members: dict[str, Any] = {
        "headers": dict(description.headers),
        "metadata": dict(description.metadata),
        "checksums": dict(description.checksums),
        "checksum_type": description.checksum_type,
        "parts": description.parts,
        "at_rest": None if description.at_rest is None else _sealing(description.at_rest),
    }
    return _text({name: value for name, value in members.items() if value})


def _description(document: Mapping[str, Any]) -> Description:
    return Description(
        headers=document.get("headers", {}),
        metadata=document.get("metadata", {}),
        checksums=document.get("checksums", {}),
        checksum_type=document.get("checksum_type", ""),
        parts=document.get("parts", 0),
        at_rest=_at_rest(document["at_rest"]) if "at_rest" in document else None,
    )


def _sealing(at_rest: AtRest) -> dict[str, Any]:
    return {
        "algorithm": at_rest.algorithm,
        "key_arn": at_rest.key_arn,
        "data_key": base64.b64encode(at_rest.data_key).decode(),
        "context": dict(at_rest.context),
        "has_bucket_key": at_rest.has_bucket_key,
        "check": base64.b64encode(at_rest.check).decode(),
    }


def _at_rest(members: Mapping[str, Any]) -> AtRest:
    return AtRest(
        algorithm=members["algorithm"],
        key_arn=members["key_arn"],
        data_key=base64.b64decode(members["data_key"]),
        context=members["context"],
        has_bucket_key=members["has_bucket_key"],
        check=base64.b64decode(members["check"]),
    )


def _text(members: Mapping[str, Any]) -> str:
    return orjson.dumps(members).decode()

-- S3: buckets, objects, uploads in parts, and the blobs that hold the bytes.
--
-- Ids are numbers from a sequence of its own, never used again; the larger one of two versions of
-- an object is the newer.
CREATE TABLE s3_sequence (
    name TEXT PRIMARY KEY,
    last INTEGER NOT NULL
);

-- Names of buckets are global. `versioning` is empty (never switched on), Enabled or Suspended.
-- `documents` (JSON) are the bucket's configurations by name, each as text.
CREATE TABLE s3_bucket (
    id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    versioning TEXT NOT NULL,
    documents TEXT NOT NULL
);

-- One version of an object, or a delete marker. `version_id` is 'null' for those written while
-- versioning was not enabled. `document` (JSON) holds headers, metadata and checksums; `tags` is
-- JSON. The bytes are in `content` (sealed), or else in the pieces of the version.
CREATE TABLE s3_version (
    id INTEGER PRIMARY KEY,
    bucket_id INTEGER NOT NULL,
    object_key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    is_latest INTEGER NOT NULL,
    is_delete_marker INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified_at_s REAL NOT NULL,
    owner TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    document TEXT NOT NULL,
    tags TEXT NOT NULL,
    content BLOB,
    UNIQUE (bucket_id, object_key, version_id)
);

CREATE INDEX s3_version_of_key ON s3_version (bucket_id, object_key, id);

CREATE UNIQUE INDEX s3_version_latest ON s3_version (bucket_id, object_key) WHERE is_latest = 1;

-- The parts that a version consists of, in order; one of number 1 where it was put in one piece.
CREATE TABLE s3_piece (
    owner_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    etag TEXT NOT NULL,
    checksum TEXT NOT NULL,
    modified_at_s REAL NOT NULL,
    PRIMARY KEY (owner_id, number)
);

-- Uploads in parts that are neither complete nor aborted. Their parts are pieces of the upload's id.
CREATE TABLE s3_upload (
    id INTEGER PRIMARY KEY,
    upload_id TEXT NOT NULL UNIQUE,
    bucket_id INTEGER NOT NULL,
    object_key TEXT NOT NULL,
    started_at_s REAL NOT NULL,
    owner TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    document TEXT NOT NULL,
    tags TEXT NOT NULL
);

CREATE INDEX s3_upload_of_key ON s3_upload (bucket_id, object_key, upload_id);

-- How many pieces each blob is in. At 0 the blob is to be deleted.
CREATE TABLE s3_blob (
    sha256 TEXT PRIMARY KEY,
    refs INTEGER NOT NULL
);

CREATE INDEX s3_blob_unused ON s3_blob (sha256) WHERE refs = 0;

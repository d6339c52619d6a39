-- S3: what lifecycle rules and the deletion of a bucket look through, page by page.

CREATE INDEX s3_upload_of_bucket ON s3_upload (bucket_id, id);

"""For each photo that comes into the one bucket, a small one into the other."""

import io
import os
from urllib.parse import unquote_plus

import boto3
from PIL import Image

SIZE = 128, 128
s3 = boto3.client("s3")


def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        photo = s3.get_object(Bucket=bucket, Key=key)
        small = io.BytesIO()
        with Image.open(io.BytesIO(photo["Body"].read())) as image:
            kind = image.format
            image.thumbnail(SIZE)
            image.save(small, kind)
            print(f"{key}: {image.width} x {image.height}")
        s3.put_object(
            Bucket=os.environ["THUMBNAILS"],
            Key=key,
            Body=small.getvalue(),
            ContentType=photo["ContentType"],
        )

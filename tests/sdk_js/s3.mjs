// The life of a bucket and its objects through the unmodified SDK. Endpoint and credentials come
// from the environment, as for every user. Prints one JSON document of what it saw; the test judges
// it.
//
//   node s3.mjs BUCKET

import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchBucket,
  NoSuchKey,
  NotFound,
  paginateListObjectsV2,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  waitUntilBucketExists,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const PART_BYTES = 5 * 1024 * 1024;

const [Bucket] = process.argv.slice(2);
const client = new S3Client({});
const seen = {};

// Which way a body goes is settled by the SDK alone; its requests are noted on their way out.
const sent = [];
client.middlewareStack.add(
  (next) => (args) => {
    const { method, headers } = args.request;
    if (method === "PUT") {
      sent.push([headers["content-encoding"] ?? null, headers["x-amz-trailer"] ?? null]);
    }
    return next(args);
  },
  { step: "finalizeRequest", priority: "low", name: "noteBodies" },
);

const put = (Key, more) => client.send(new PutObjectCommand({ Bucket, Key, ...more }));
const get = (Key, more) => client.send(new GetObjectCommand({ Bucket, Key, ...more }));

async function errorOf(promise, kind = Error) {
  try {
    await promise;
    return null;
  } catch (error) {
    const status = error.$metadata?.httpStatusCode;
    return { name: error.name, status, isKnown: error instanceof kind };
  }
}

await client.send(new CreateBucketCommand({ Bucket }));
await waitUntilBucketExists({ client, maxWaitTime: 10 }, { Bucket });

// A text, and a stream: the SDK adds its checksum, and checks the one that comes back.
const Metadata = { kind: "greeting" };
const text = await put("texts/héllo wörld.txt", {
  Body: "héllo",
  ContentType: "text/plain; charset=utf-8",
  Metadata,
});
seen.text = { etag: text.ETag, crc32: text.ChecksumCRC32 };
const read = await get("texts/héllo wörld.txt");
seen.read = {
  body: await read.Body.transformToString(),
  type: read.ContentType,
  metadata: read.Metadata,
  length: read.ContentLength,
  crc32: read.ChecksumCRC32,
};
sent.length = 0;
const lines = Array.from({ length: 3000 }, (_, at) => `line ${at}\n`);
const ContentLength = lines.reduce((sum, line) => sum + line.length, 0);
await put("texts/stream.txt", { Body: Readable.from(lines.map(Buffer.from)), ContentLength });
seen.streamSentAs = sent[0];
const digest = [];
for await (const piece of (await get("texts/stream.txt")).Body) digest.push(piece);
seen.streamIsWhole = Buffer.concat(digest).toString() === lines.join("");
seen.range = await (await get("texts/stream.txt", { Range: "bytes=0-5" })).Body.transformToString();

// A large object in parts, from a stream of unknown length.
const large = Buffer.alloc(2 * PART_BYTES + 7, "0123456789");
const progress = [];
const upload = new Upload({
  client,
  params: { Bucket, Key: "large", Body: Readable.from([large]), ContentType: "text/plain" },
  partSize: PART_BYTES,
  queueSize: 2,
});
upload.on("httpUploadProgress", ({ loaded }) => progress.push(loaded));
const { ETag, Location } = await upload.done();
const attributes = await client.send(
  new GetObjectAttributesCommand({
    Bucket,
    Key: "large",
    ObjectAttributes: ["ObjectParts", "ObjectSize", "Checksum"],
  }),
);
seen.large = {
  parts: /-(\d+)"$/.exec(ETag)?.[1],
  location: Location.endsWith("/large"),
  size: attributes.ObjectSize,
  counted: attributes.ObjectParts?.TotalPartsCount,
  checksum: attributes.Checksum?.ChecksumType,
  progress: Math.max(...progress) === large.length,
  same: Buffer.from(await (await get("large")).Body.transformToByteArray()).equals(large),
  lastPart: (await client.send(new HeadObjectCommand({ Bucket, Key: "large", PartNumber: 3 })))
    .ContentLength,
};

// Addresses for whoever has no key.
const signed = (command) => getSignedUrl(client, command, { expiresIn: 60 });
const uploadTo = await signed(
  new PutObjectCommand({ Bucket, Key: "presigned", ContentType: "application/json" }),
);
const uploaded = await fetch(uploadTo, {
  method: "PUT",
  body: '{"a": 1}',
  headers: { "Content-Type": "application/json" },
});
const downloadFrom = await signed(
  new GetObjectCommand({ Bucket, Key: "presigned", ResponseContentType: "text/x-other" }),
);
const downloaded = await fetch(downloadFrom);
seen.presigned = {
  put: uploaded.status,
  get: downloaded.status,
  type: downloaded.headers.get("content-type"),
  body: await downloaded.json(),
  spoilt: (await fetch(downloadFrom.replace("/presigned", "/large"))).status,
};

// Conditions, copies, tags.
seen.conditions = {
  again: await errorOf(put("presigned", { Body: "b", IfNoneMatch: "*" })),
  other: await errorOf(put("presigned", { Body: "b", IfMatch: `"${"0".repeat(32)}"` })),
  same: await errorOf(put("presigned", { Body: "b", IfMatch: uploaded.headers.get("etag") })),
  unchanged: (await errorOf(get("texts/héllo wörld.txt", { IfNoneMatch: text.ETag }))).status,
};
const copied = await client.send(
  new CopyObjectCommand({
    Bucket,
    Key: "copies/one",
    CopySource: encodeURI(`${Bucket}/texts/héllo wörld.txt`),
    Metadata: { kind: "copy" },
    MetadataDirective: "REPLACE",
  }),
);
const head = await client.send(new HeadObjectCommand({ Bucket, Key: "copies/one" }));
seen.copy = {
  sameETag: copied.CopyObjectResult.ETag === text.ETag,
  isDate: copied.CopyObjectResult.LastModified instanceof Date,
  metadata: head.Metadata,
  length: head.ContentLength,
};
await client.send(
  new PutObjectTaggingCommand({
    Bucket,
    Key: "copies/one",
    Tagging: { TagSet: [{ Key: "team & co", Value: "a=b" }] },
  }),
);
seen.tags = (
  await client.send(new GetObjectTaggingCommand({ Bucket, Key: "copies/one" }))
).TagSet;

seen.pages = [];
for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket })) {
  seen.pages.push(page.Contents.map(({ Key }) => Key));
}
const folders = await client.send(new ListObjectsV2Command({ Bucket, Delimiter: "/" }));
seen.folders = folders.CommonPrefixes.map(({ Prefix }) => Prefix);

const missing = { Bucket: `${Bucket}-not`, Key: "none" };
seen.errors = {
  key: await errorOf(get("none"), NoSuchKey),
  bucket: await errorOf(client.send(new GetObjectCommand(missing)), NoSuchBucket),
  head: await errorOf(client.send(new HeadObjectCommand({ Bucket, Key: "none" })), NotFound),
  headBucket: await errorOf(client.send(new HeadBucketCommand(missing)), NotFound),
  notEmpty: await errorOf(client.send(new DeleteBucketCommand({ Bucket }))),
};

const Objects = [...seen.pages.flat(), "never there"].map((Key) => ({ Key }));
const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
seen.deleted = [deleted.Deleted.length, deleted.Errors ?? []];
await client.send(new DeleteBucketCommand({ Bucket }));
seen.afterDelete = await errorOf(client.send(new HeadBucketCommand({ Bucket })), NotFound);
process.stdout.write(JSON.stringify(seen));

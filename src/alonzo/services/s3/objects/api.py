"""The operations on objects by name, and the parts that they are made of."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.ports.identity import Encryption
from alonzo.model.ports.operations import Operations
from alonzo.services.s3.changes import Changes
from alonzo.services.s3.directory import Directory
from alonzo.services.s3.objects.absence import discreet
from alonzo.services.s3.objects.acl_operations import AclOperations
from alonzo.services.s3.objects.core import Core
from alonzo.services.s3.objects.deleting import DeleteOperations
from alonzo.services.s3.objects.keys import ObjectKeys
from alonzo.services.s3.objects.multipart import MultipartOperations
from alonzo.services.s3.objects.reading import ReadOperations
from alonzo.services.s3.objects.rekeying import RekeyOperations
from alonzo.services.s3.objects.tagging import TagOperations
from alonzo.services.s3.objects.upload_lists import ListOperations
from alonzo.services.s3.objects.vault import Vault
from alonzo.services.s3.objects.writing import WriteOperations
from alonzo.services.s3.permits import Permits
from alonzo.store.base import Store
from alonzo.store.blobs import BlobStore

#: Threads for the files of objects. More than processors: most of them wait for the disk.
OBJECT_THREADS = 16


class Objects:
    """The objects of all buckets."""

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        directory: Directory,
        changes: Changes,
        *,
        encryption: Encryption,
        key: bytes,
        clock: Clock,
        ids: IdSource,
        permits: Permits | None = None,
    ) -> None:
        """``blobs`` are S3's alone; ``key``, 32 secret bytes, seals the small objects."""
        self.vault = Vault(store, blobs, key)
        keys = ObjectKeys(encryption, clock, ids)
        self.core = Core(
            store, directory, self.vault, changes, clock, ids, keys, permits or Permits()
        )
        #: For whoever needs the bytes of an object: ``reads.read``.
        self.reads = ReadOperations(self.core)
        self.writes = WriteOperations(self.core, self.reads)

    async def open(self) -> None:
        """Remove what a crash left behind, before the first request."""
        await self.vault.open()

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {"unused blobs": self.vault.run()}


def operations(objects: Objects) -> Operations:
    """The operations on objects."""
    core, reads, writes = objects.core, objects.reads, objects.writes
    deletes, tags, acls = DeleteOperations(core), TagOperations(core), AclOperations(core)
    rekeying = RekeyOperations(core, reads)
    multipart = MultipartOperations(core, reads, writes)
    lists = ListOperations(core, multipart)
    found: Operations = {
        "AbortMultipartUpload": multipart.abort_multipart_upload,
        "CompleteMultipartUpload": multipart.complete_multipart_upload,
        "CopyObject": writes.copy_object,
        "CreateMultipartUpload": multipart.create_multipart_upload,
        "DeleteObject": deletes.delete_object,
        "DeleteObjectTagging": tags.delete_object_tagging,
        "DeleteObjects": deletes.delete_objects,
        "GetObject": reads.get_object,
        "GetObjectAcl": acls.get_object_acl,
        "GetObjectAttributes": reads.get_object_attributes,
        "GetObjectTagging": tags.get_object_tagging,
        "HeadObject": reads.head_object,
        "ListMultipartUploads": lists.list_multipart_uploads,
        "ListParts": lists.list_parts,
        "PutObject": writes.put_object,
        "PutObjectAcl": acls.put_object_acl,
        "PutObjectTagging": tags.put_object_tagging,
        "UpdateObjectEncryption": rekeying.update_object_encryption,
        "UploadPart": multipart.upload_part,
        "UploadPartCopy": multipart.upload_part_copy,
    }
    return discreet(found, core)

"""What the data plane needs to know of one function version.

The control plane writes this record when a version becomes able to serve, and the data plane runs
exactly what it says; the two meet here and in the ``function_version`` table, nowhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from alonzo.model.arns import FunctionKey

#: The store's topic on which every change of a function is published, under ``FunctionKey.path``.
CHANGES_TOPIC = "function"
#: The topic of changes of reserved concurrency, under ``FunctionKey.region_path``.
RESERVATIONS_TOPIC = "function_reservation"


def layers_tree(digests: Sequence[str]) -> str:
    """The name of the merged tree of layers, by the hex digests of their zips in their order.

    A single layer's tree is that of its package.
    """
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(f"layers {' '.join(digests)}".encode()).hexdigest()


def sealing_context(key: FunctionKey) -> dict[str, str]:
    """The encryption context under which a function's variables are sealed, as AWS has it."""
    return {"aws:lambda:FunctionArn": key.arn}


@dataclass(frozen=True, slots=True)
class ServingVersion:
    """One version as it serves now.

    ``generation`` differs between any two records that need different environments; the pool
    ends the environments of an older one. ``code_sha256`` is the hex digest of the zip and names
    its blob; ``layers`` are those of its layers, the first one at the bottom. ``environment``
    holds the user's variables once they are opened; as stored they are ``sealed_environment``, what
    KMS made of them, in base64, with a customer's ``kms_key`` or None. ``parameters_extension``:
    parameters and secrets are served inside. ``dead_letter`` is the ARN that takes events it could
    not handle.
    Sizes in MiB, times in seconds.
    """

    key: FunctionKey
    version: str
    generation: str
    runtime: str
    handler: str
    role: str
    code_sha256: str
    timeout_s: int = 3
    memory_mib: int = 128
    tmp_mib: int = 512
    architecture: str = "x86_64"
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    sealed_environment: str = field(default="", repr=False)
    kms_key: str | None = None
    layers: tuple[str, ...] = ()
    log_group: str = ""
    log_format: str = "Text"
    application_log_level: str | None = None
    system_log_level: str | None = None
    tracing_mode: str = "PassThrough"
    tenant_isolation: bool = False
    snap_start: bool = False
    dead_letter: str | None = None
    parameters_extension: bool = False

    @property
    def arn(self) -> str:
        """The ARN qualified with the version."""
        return self.key.qualified(self.version)

    @property
    def trees(self) -> frozenset[str]:
        """The names of the unpacked trees that it runs from: its code's, and its layers'."""
        layers = {layers_tree(self.layers)} if self.layers else set[str]()
        return frozenset({self.code_sha256} | layers)

    def to_json(self) -> str:
        """The record as stored."""
        record = {**asdict(self), "key": self.key._asdict()}
        return json.dumps(record, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ServingVersion:
        """Read a stored record. Members that this release does not know are dropped."""
        raw: dict[str, Any] = json.loads(text)
        raw["key"] = FunctionKey(**raw["key"])
        raw["layers"] = tuple(raw.get("layers", ()))
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in raw.items() if name in known})

"""What a host may decide about the control plane; the defaults are AWS's quotas."""

from __future__ import annotations

from dataclasses import dataclass

from alonzo.model import limits


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """What functions may ask for, and how much they may be.

    ``requests_s`` None is no limit: 15 on AWS, which protects its accounts from each other. Here it
    would slow down who makes many functions, and protect nobody.
    """

    zip_bytes_max: int = limits.ZIP_BYTES_MAX
    unzipped_bytes_max: int = limits.UNZIPPED_BYTES_MAX
    package_entries_max: int = limits.PACKAGE_ENTRIES_MAX
    code_storage_bytes_max: int = limits.CODE_STORAGE_BYTES_MAX
    timeout_s_max: int = limits.TIMEOUT_S_MAX
    memory_mib_max: int = limits.MEMORY_MIB_MAX
    tmp_mib_max: int = limits.TMP_MIB_MAX
    requests_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings(ControlLimits):
    """Limits and facts of this installation.

    ``architecture`` is the host's, in AWS's words (``x86_64``, ``arm64``). ``link_key`` signs the
    download links of GetFunction: 32 random bytes that outlive a restart. ``concurrency`` is the
    account's, in one region.
    """

    architecture: str
    link_key: bytes
    concurrency: int = limits.ACCOUNT_CONCURRENCY

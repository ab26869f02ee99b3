"""Zip archives of strangers: what they declare is checked against limits before a single member is unpacked."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import PurePosixPath

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import MEGABYTE, MEMBERS, RATIO, UNPACKED, UNSUSPICIOUS, at_most, quoted

DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)
NESTED = {".zip", ".gz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".tgz", ".npz"}
_ENTRY = b"PK\x01\x02"


def open_archive(content: bytes) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
    """An archive and its files, without folders and what operating systems leave behind.

    Raises:
        DataError: damaged, encrypted, too large when unpacked, or with names that lead outside.
    """
    at_most("files in the archive", MEMBERS, content.count(_ENTRY), "take a part of them")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = [member for member in archive.infolist() if not member.is_dir()]
    except DAMAGE:
        raise DataError("Expected a zip archive, got a damaged or cut one: pack and upload it again.") from None
    for member in members:
        _check(member)
    _check_size(members, len(content))
    return archive, [member for member in members if not _left_behind(member.filename)]


def unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """One member, at most as long as it declares.

    Raises:
        DataError: it is damaged or not as long as declared.
    """
    try:
        with archive.open(member) as file:
            content = file.read(member.file_size + 1)
    except DAMAGE:
        content = b""
    if len(content) != member.file_size:
        raise DataError(
            f"Expected {quoted(member.filename)} with {member.file_size:,} bytes as the archive says, "
            "got damaged content: pack and upload it again."
        )
    return content


def _check(member: zipfile.ZipInfo) -> None:
    name = member.filename
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or not path.parts:
        raise DataError(
            f"Expected file names inside the archive, got {quoted(name)}, which leads out of it: rename it."
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise DataError(f"Expected files, got the link {quoted(name)}: put the file itself into the archive.")
    if member.flag_bits & 0x1:
        raise DataError(f"Expected an open archive, got the encrypted file {quoted(name)}: pack it without a password.")
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise DataError(f"Expected plain zip compression, got another for {quoted(name)}: pack it with 'deflate'.")


def _check_size(members: list[zipfile.ZipInfo], packed: int) -> None:
    declared = sum(member.file_size for member in members)
    at_most("MB in the unpacked archive", UNPACKED // MEGABYTE, declared // MEGABYTE, "upload a part of it")
    if declared > UNSUSPICIOUS and declared > RATIO * packed:
        raise DataError(
            f"Expected an archive that unpacks to at most {RATIO} times its size, got {declared // packed:,} times: "
            "upload real data, less tightly packed."
        )


def _left_behind(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") for part in parts) or parts[-1].lower() in {
        "thumbs.db", "desktop.ini"
    }  # fmt: skip

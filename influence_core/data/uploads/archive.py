"""Zip archives of strangers: what they declare is checked against limits before a single member is unpacked."""

from __future__ import annotations

import io
import stat
import unicodedata
import zipfile
import zlib
from pathlib import PurePosixPath

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import MEGABYTE, MEMBERS, RATIO, UNPACKED, UNSUSPICIOUS, at_most, quoted

DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)
NESTED = {".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz", ".npz"}
# What names are written in where the flag for UTF-8 is not set; of equally plausible ones the first.
CODE_PAGES = ("utf-8", "cp437", "cp850", "cp1252")
_ENTRY = b"PK\x01\x02"


def open_archive(content: bytes, hidden: bool = False) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
    """An archive and its files, without folders; their names in Unicode, with forward slashes.

    Args:
        content: of the archive.
        hidden: whether files that start with a dot and what operating systems leave behind count too.

    Returns:
        The archive and its files.

    Raises:
        DataError: damaged, encrypted, too large when unpacked, or with names that lead outside.
    """
    at_most("files in the archive", MEMBERS, content.count(_ENTRY), "take a part of them")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = archive.infolist()
    except DAMAGE:
        raise DataError("Expected a zip archive, got a damaged or cut one: pack and upload it again.") from None
    _rename(members)
    members = [member for member in members if not member.filename.endswith("/")]
    for member in members:
        _check(member)
    _check_size(members, len(content))
    return archive, [member for member in members if hidden or not left_behind(member.filename)]


def refuse_nested(members: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive in an archive.

    Raises:
        DataError: there is one.
    """
    nested = [m.filename for m in members if PurePosixPath(m.filename).suffix.lower() in NESTED]
    if nested:
        raise DataError(f"Expected files in the archive, got the archive {quoted(nested[0])} inside: unpack it first.")


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
    path = PurePosixPath(name)
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


def _rename(members: list[zipfile.ZipInfo]) -> None:
    # Without the flag for UTF-8 a name is in the code page of whoever packed it: one for the whole archive.
    unmarked = [m for m in members if not m.flag_bits & 0x800 and not m.orig_filename.isascii()]
    page = _code_page([m.orig_filename.encode("cp437") for m in unmarked])
    for member in members:
        name = member.orig_filename
        if page and not member.flag_bits & 0x800:
            name = name.encode("cp437").decode(page)
        # macOS writes an accent as a mark of its own, and the same name would be two classes.
        member.filename = unicodedata.normalize("NFC", name.replace("\\", "/"))


def _code_page(names: list[bytes]) -> str:
    joined = b"/".join(names)
    readable = {}
    for page in CODE_PAGES:
        try:
            readable[page] = joined.decode(page)
        except UnicodeDecodeError:
            continue
    if "utf-8" in readable:
        return "utf-8"
    return max(readable, key=lambda page: _letters(readable[page]), default="")


def _letters(text: str) -> int:
    """How many letters of Western languages stand in a text beyond ASCII, less what is no letter."""
    beyond = [mark for mark in text if not mark.isascii()]
    return sum(1 if unicodedata.name(mark, "").startswith("LATIN") else -1 for mark in beyond)


def left_behind(name: str) -> bool:
    """Whether an operating system has put a file into an archive, and no person."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") for part in parts) or parts[-1].lower() in {
        "thumbs.db", "desktop.ini"
    }  # fmt: skip

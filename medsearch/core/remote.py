"""Files at a URI: a bucket of an object store, or any other file system that pyarrow or fsspec can open.

    s3://bucket/prefix?endpoint_override=HOST:PORT&scheme=http    Amazon's, or a server that speaks its protocol
    gs://bucket/prefix    abfs://container@account/prefix    hdfs://host/path    file:///shared/folder    /shared/folder

Credentials come from the environment, as each of these services documents it. A file appears whole or not at all:
object stores show what was written when it is closed, elsewhere it is written aside and renamed. What fails is tried
again, with pauses that grow; in the end one line names the address and what to do about it.
"""

import errno
import os
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, final

from medsearch.core.contents import Content, content_of
from medsearch.core.errors import BadInput, Damaged, MedsearchError
from medsearch.core.ownership import unlinked
from medsearch.core.paths import unsafe
from medsearch.core.records import sync_directory

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

T = TypeVar("T")
V = TypeVar("V")

PAUSES: tuple[float, ...] = (0.5, 1, 2, 4, 8, 15, 30)
"""Seconds between tries; the clients of object stores try again by themselves, too."""

CHUNK = 64 << 20  # bytes that an upload may hold in memory
AT_ONCE = 8  # files under way
REREAD = 2  # times that a file which came otherwise than it was stored is read again: a proxy may be at fault
WHOLE_AT_CLOSE = ("s3", "gcs", "abfs")
HOPELESS = re.compile(
    "ACCESS_DENIED|NO_SUCH_BUCKET|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_SIGNATURE|UNRECOGNIZED_CLIENT"
    "|MISSING_AUTHENTICATION_TOKEN|AccessDenied|PermissionDenied"
)
PASSWORD = re.compile(r"(?<=:)//[^/@:?]*:[^?]*@")
OF_THIS_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP)


class Unreachable(MedsearchError):
    """What lies at a URI could not be read or written, however often it was tried."""


@final
class Remote:
    """The files below a URI. Names are relative to it, with `/` between their parts."""

    def __init__(self, uri: str, *, pauses: tuple[float, ...] | None = None) -> None:
        self.uri = uri
        self._pauses = pauses
        self.shown = without_password(uri).split("?")[0].rstrip("/")
        """The URI without passwords and options, for messages."""

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is no such file."""

        def read_once() -> bytes:
            with self._opened[0].open_input_stream(self._at(name)) as stream:
                return bytes(stream.read())

        try:
            return self._retried(f"reading {name}", read_once)
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file of this content: the new one is seen whole, or the old one."""
        self._retried(f"writing {name}", lambda: self._write_once(name, [content]))

    def upload(self, path: Path, name: str) -> None:
        """Copy the local file `path` there as `name`, a piece at a time."""

        def upload_once() -> None:
            with path.open("rb") as source:
                self._write_once(name, iter(lambda: source.read(CHUNK), b""))

        self._retried(f"writing {name}", upload_once)

    def download(self, name: str, path: Path, *, wanted: Content) -> None:
        """Copy a file that was stored as `wanted` here, atomically; one caller at a time for one `path`.

        Raises:
            Damaged: it is not there, or holds something else however often it is read.
            Unreachable: it cannot be read.

        """

        def problem_once() -> str:
            """What is wrong with what was copied, in words; empty if it is as `wanted` and lies at `path`."""
            aside = path.with_name(f".{path.name}.fetched")
            with (
                self._opened[0].open_input_stream(self._at(name)) as source,
                open(aside, "wb", opener=unlinked) as sink,
            ):
                while chunk := source.read(CHUNK):
                    sink.write(chunk)
                os.fsync(sink.fileno())
            problem = ""
            if (size := aside.stat().st_size) != wanted.size:
                problem = f"has {size} bytes, {wanted.size} were stored"
            elif wanted.digest and content_of(aside) != wanted:
                problem = "was changed since it was stored"
            if problem:
                aside.unlink()
                return problem
            aside.replace(path)
            sync_directory(path.parent)
            return ""

        path.parent.mkdir(parents=True, exist_ok=True)
        for pause in (*(PAUSES if self._pauses is None else self._pauses)[:REREAD], None):
            try:
                problem = self._retried(f"reading {name}", problem_once)
            except FileNotFoundError:
                problem = "is not there any more"
            if not problem:
                return
            if pause is not None:
                time.sleep(pause)
        where = f"{self.shown}/{name}"
        raise Damaged(where, problem, "run again: it is stored anew")

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every file below `folder`, by name relative to it; nothing for a folder that is not there."""
        from pyarrow.fs import FileSelector, FileType

        base = self._at(folder).rstrip("/")
        selector = FileSelector(base, recursive=True, allow_not_found=True)
        infos = self._retried(f"listing {folder}", lambda: self._opened[0].get_file_info(selector))
        files = [info for info in infos if info.type == FileType.File and not info.base_name.startswith(".")]
        sizes = {info.path[len(base) :].lstrip("/"): int(info.size) for info in files}
        return {name: size for name, size in sizes.items() if not unsafe(name)}  # a bucket may hold anything

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        from pyarrow.fs import FileType

        info = self._retried(f"looking for {name}", lambda: self._opened[0].get_file_info(self._at(name)))
        return bool(info.type == FileType.File)

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error."""
        try:
            self._retried(f"removing {name}", lambda: self._opened[0].delete_file(self._at(name)))
        except FileNotFoundError:
            return

    @cached_property
    def _opened(self) -> "tuple[FileSystem, str]":
        """The file system, and the path in it that the URI names."""
        return self._retried("opening it", lambda: _open(self.uri, self.shown))

    def _at(self, name: str) -> str:
        if name and (why := unsafe(name)):
            msg = f"{self.shown} has no file {name!r}: {why}; remove the record that names it"
            raise BadInput(msg)
        return f"{self._opened[1].rstrip('/')}/{name}".rstrip("/")

    def _write_once(self, name: str, chunks: Iterable[bytes]) -> None:
        files, target = self._opened[0], self._at(name)
        whole_at_close = files.type_name in WHOLE_AT_CLOSE
        parent, _, last = target.rpartition("/")
        written = target if whole_at_close else f"{parent}/.{last}.{os.getpid()}-{time.time_ns()}"
        if not whole_at_close:
            files.create_dir(parent, recursive=True)
        with files.open_output_stream(written) as sink:
            for chunk in chunks:
                sink.write(chunk)
                sink.flush()  # else a slow line would let all of it pile up in memory
        if not whole_at_close:
            files.move(written, target)

    def _retried(self, doing: str, work: Callable[[], T]) -> T:
        """What `work` returns, tried again with growing pauses where the system fails but may not do so again."""
        began = time.monotonic()
        for pause in (*(PAUSES if self._pauses is None else self._pauses), None):
            try:
                return work()
            except FileNotFoundError:
                raise
            except OSError as error:
                hopeless = error.errno in OF_THIS_DISK or HOPELESS.search(str(error))
                if pause is None or hopeless:
                    why = " ".join(str(error).split())[:300]
                    tried = f"{doing} failed for {time.monotonic() - began:.0f} s ({why})"
                    remedy = "check address, credentials, network and room, then run again: what is stored stays"
                    msg = f"{self.shown}: {tried}; {remedy}"
                    raise Unreachable(msg) from error
                time.sleep(pause)
        raise AssertionError


def without_password(uri: str) -> str:
    """`uri` without user and password. A secret that nobody has escaped may hold a slash."""
    return PASSWORD.sub("//", uri)


@cache
def remote_at(uri: str) -> Remote:
    """The one client of this process for `uri`."""
    return Remote(uri)


def require_writable(uri: str) -> None:
    """Refuse an address that cannot be written to and read from, before anything is trained for it.

    Raises:
        Unreachable: what is at fault.
        BadInput: nothing here can open such an address.

    """
    remote, name = Remote(uri, pauses=(1.0,)), f".tried-{os.getpid()}-{time.time_ns()}"
    remote.write(name, b"medsearch")
    if remote.read(name) != b"medsearch":
        msg = f"{remote.shown}: what was just written cannot be read; check the address and its proxies"
        raise Unreachable(msg)
    remote.remove(name)


def each(work: Callable[[T], V], items: Iterable[T]) -> list[V]:
    """What `work` returns for every item, in order; some run at once, and the first error ends it."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, items))


def local_sizes(folder: Path) -> Mapping[str, int]:
    """Bytes of every file below a local folder, by name relative to it."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def _open(uri: str, shown: str) -> "tuple[FileSystem, str]":
    """The file system of a URI, and the path in it: by pyarrow, or by fsspec, which knows more kinds of address."""
    from pyarrow import ArrowInvalid, ArrowNotImplementedError
    from pyarrow.fs import FileSystem, FSSpecHandler, LocalFileSystem, PyFileSystem

    parts = urllib.parse.urlsplit(uri)
    if parts.scheme in ("", "file"):
        path = urllib.parse.unquote(parts.path) if parts.scheme else uri
        return LocalFileSystem(), str(Path(path).resolve())
    try:
        files, path = FileSystem.from_uri(uri)
    except (ArrowInvalid, ArrowNotImplementedError) as refusal:
        import fsspec

        try:
            files, path = fsspec.core.url_to_fs(uri)
        except (ImportError, ValueError) as error:  # each kind of address needs its own package
            why = f"{refusal}; {error}".replace(uri, shown)
            msg = f"{shown} cannot be opened ({why}); give an address such as s3://bucket/prefix or file:///dir"
            raise BadInput(msg) from error
        return PyFileSystem(FSSpecHandler(files)), str(path)
    return files, path

"""A real file system that does not lock files, as Lustre without `-o flock` or NFS without its daemon; needs root.

It speaks the kernel's FUSE protocol, keeps empty files and folders in memory, and answers every lock with an error.
"""

import ctypes
import os
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOKUP, FORGET, GETATTR, SETATTR, MKDIR, OPEN, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 4, 9, 14, 17, 18, 25, 26
GETLK, SETLK, SETLKW, CREATE, DESTROY, BATCH_FORGET = 31, 32, 33, 35, 38, 42
POSIX_LOCKS, FLOCK_LOCKS = 1 << 1, 1 << 10
ENOENT, ENOSYS = 2, 38
DETACH = 2


class Nodes:
    """Empty files and folders by number. `lock_error`: the errno that whoever locks is answered."""

    def __init__(self, lock_error: int) -> None:
        self.lock_error = lock_error
        self.modes = {1: stat.S_IFDIR | 0o755}
        self.names: dict[tuple[int, bytes], int] = {}

    def answer(self, opcode: int, node: int, body: bytes) -> bytes | int:
        """What is sent back, or an errno."""
        if opcode == INIT:
            flags = POSIX_LOCKS | FLOCK_LOCKS
            return struct.pack("<4I2H2I2H2IH22x", 7, 31, 1 << 16, flags, 12, 9, 1 << 16, 1, 32, 0, 0, 0, 0)
        if opcode == LOOKUP:
            found = self.names.get((node, body.rstrip(b"\0")))
            return self._entry(found) if found else ENOENT
        if opcode in (GETATTR, SETATTR):
            return struct.pack("<QII", 0, 0, 0) + self._attributes(node)
        if opcode == MKDIR:
            return self._entry(self._made(node, body[8:], stat.S_IFDIR | 0o755))
        if opcode == CREATE:
            return self._entry(self._made(node, body[16:], stat.S_IFREG | 0o644)) + struct.pack("<QII", 0, 0, 0)
        if opcode == OPEN:
            return struct.pack("<QII", 0, 0, 0)
        if opcode in (GETLK, SETLK, SETLKW):
            return self.lock_error
        return b"" if opcode in (RELEASE, FLUSH) else ENOSYS

    def _made(self, parent: int, name: bytes, mode: int) -> int:
        number = len(self.modes) + 1
        self.modes[number] = mode
        self.names[parent, name.rstrip(b"\0")] = number
        return number

    def _entry(self, node: int) -> bytes:
        return struct.pack("<4Q2I", node, 0, 0, 0, 0, 0) + self._attributes(node)

    def _attributes(self, node: int) -> bytes:
        return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, self.modes[node], 1, 0, 0, 0, 4096, 0)


@contextmanager
def mounted(folder: Path, lock_error: int) -> Iterator[Path]:
    """The file system at `folder`.

    Raises:
        OSError: this user, or this machine, may not mount one.

    """
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    try:
        if libc.mount(b"lockless", bytes(folder), b"fuse", 0, options):
            raise OSError(ctypes.get_errno(), "mount")
        serving = threading.Thread(target=_serve, args=(device, Nodes(lock_error)), daemon=True)
        serving.start()
        try:
            yield folder
        finally:
            libc.umount2(bytes(folder), DETACH)
            serving.join(10)
    finally:
        os.close(device)


def _serve(device: int, nodes: Nodes) -> None:
    while True:
        try:
            asked = os.read(device, 1 << 17)
        except OSError:  # unmounted
            return
        _, opcode, unique, node = struct.unpack_from("<IIQQ", asked)
        if opcode in (FORGET, BATCH_FORGET):
            continue
        answer = nodes.answer(opcode, node, asked[40:])
        error, content = (-answer, b"") if isinstance(answer, int) else (0, answer)
        os.write(device, struct.pack("<IiQ", 16 + len(content), error, unique) + content)

"""File systems of the test's own: one that loses power, and a small one. Root only; unmounted at the end, always."""

import atexit
import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time

from peers import need
from tmail import check

FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), ext4, xfs, f2fs
NO_LOG_FLUSH = 2
MEGABYTES = {"ext4": 96, "xfs": 320}
MAKE = {"ext4": (("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"), "e2fsprogs"),
        "xfs": (("mkfs.xfs", "-q", "-f"), "xfsprogs")}


class Unavailable(Exception):
    """The machine does not allow what the test needs; the text says what."""


def command(*words):
    """Run a command; its complaint, or an empty text when it succeeded."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stderr.decode(errors="replace").strip() or f"{words[0]} failed"


class Disk:
    """A mounted file system. Its root belongs to the gateway's user. A context manager."""

    def __init__(self, mount):
        if os.geteuid() != 0:
            raise Unavailable("mounting needs root")
        self.folder = tempfile.mkdtemp(prefix="tmail-test-disk-")
        os.chmod(self.folder, 0o755)
        self.root = os.path.join(self.folder, "root")
        os.mkdir(self.root)
        self._mount_words = mount
        atexit.register(self.done)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done()

    def mount(self):
        """Mount it."""
        complaint = command("mount", *self._mount_words, self.root)
        if complaint:
            raise Unavailable(complaint)

    def unmount(self):
        """Unmount it; waits a little for the last file to be closed."""
        for _ in range(100):
            complaint = command("umount", self.root)
            if not complaint:
                return
            time.sleep(0.05)
        check(False, f"cannot unmount: {complaint}")

    def make_store(self, user="nobody"):
        """A folder for the queue, durable from now on."""
        store = os.path.join(self.root, "store")
        os.mkdir(store)
        shutil.chown(store, user)
        command("sync", "-f", self.root)
        return store

    def done(self):
        """Unmount and remove it; harmless when that is done."""
        if os.path.isdir(self.folder):
            if os.path.ismount(self.root):
                command("umount", "--lazy", self.root)
            shutil.rmtree(self.folder, ignore_errors=True)


class PoweredDisk(Disk):
    """A file system in a file, behind a loop device, that can lose its power."""

    def __init__(self, kind):
        super().__init__(())
        image = os.path.join(self.folder, "image")
        (program, *words), package = MAKE[kind]
        with open(image, "wb") as file:
            file.truncate(MEGABYTES[kind] << 20)
        complaint = command(need(program, package), *words, image)
        check(not complaint, complaint)
        self._mount_words = ("-o", "loop", "-t", kind, image)

    def cut(self):
        """All that is not on the device is gone, and nothing more gets there until it is mounted again."""
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)


class SmallDisk(Disk):
    """A file system in memory, of so many octets."""

    def __init__(self, size):
        super().__init__(("-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs"))
        self.mount()

    def grow(self, size):
        """Make it larger, as an administrator would."""
        complaint = command("mount", "-o", f"remount,size={size}", self.root)
        check(not complaint, complaint)

    @contextlib.contextmanager
    def stuffed(self):
        """Somebody else's file takes all that is left."""
        path = os.path.join(self.root, "stuffing")
        with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        try:
            yield
        finally:
            os.unlink(path)

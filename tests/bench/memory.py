"""Makes memory cost the same in every run.

A virtual machine often gives memory that is free back to its host, and pays for it again, page by page, when it is taken: a
write to the page cache then costs several times what it costs on a machine that has been up for a day, and how often
depends on what ran before. So most of the memory is held while something is measured, and what is left is filled with
a file's pages: what brokers write takes the place of those.
"""

import contextlib
import os
import pathlib
import subprocess
import sys

LEFT = 6 << 30  # for brokers, their clients and the page cache
PIECE = 1 << 20
HOLD = """
import mmap, sys
held = mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, len(held), mmap.PAGESIZE):
    held[at:at + 1] = b"1"
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def all_but_a_part():
    """Holds what is available beyond `LEFT`."""
    size = free("MemAvailable") - LEFT
    if size <= 0:
        yield
        return
    holding = [sys.executable, "-c", HOLD, str(size)]
    process = subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()


class Filler:
    """A file whose pages fill the memory that nothing else does."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "filler"

    def fill(self):
        piece = b"1" * PIECE
        size = self.path.stat().st_size if self.path.exists() else 0
        with open(self.path, "r+b" if size else "wb") as file:
            # The same pages again where they are still there.
            for _ in range(0, size, PIECE):
                file.write(piece)
            for _ in range(0, free("MemFree"), PIECE):
                file.write(piece)
            os.fsync(file.fileno())


def free(name):
    """Bytes of memory, as the system tells under that name."""
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))

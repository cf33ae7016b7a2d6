"""A process that keeps its memory asks the system for the same pages once; measured where the system counts them."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from transvase.formats.processes import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
def documents():
    return [bytes(200_000) for _ in range(40)]
documents()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    documents()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, way], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator than that of the GNU library")
def test_freed_memory_serves_again():
    assert faults("kept") < faults("given back") / 5

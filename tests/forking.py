"""Processes meant to be killed: one that has imported everything and serves nothing else forks another at each call, so that a kill costs
its run and not a start of Python.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import transvase

LOOP = """
import os, sys

print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            run(*line.rstrip("\\n").split("\\t"))
            os._exit(0)
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr, flush=True)
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forking:
    """The process of a script that defines `run(*words)`, as a context manager; a call runs it in a fork, its words as text."""

    def __init__(self, script: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", script + LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(transvase.__file__).parent.parent)},
        )

    def __enter__(self) -> Self:
        assert self._said() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.__exit__(None, None, None)

    def __call__(self, *words: object) -> int:
        """The exit code, -9 when it was killed."""
        print(*words, sep="\t", file=self._process.stdin, flush=True)
        return int(self._said())

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

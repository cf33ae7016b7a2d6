"""Take the pictures of `docs/images` again: the report, the archive's viewer and Dagster's screens, on the invented practice, in Chromium.

    python tools/take_pictures.py             all of them
    python tools/take_pictures.py report ...  some, by name: report, viewer, graph, asset

The practice is the demonstration's, with its seed and its clock, so that a picture changes only with the code. Each picture is reduced
to a palette. Look at them before you commit them: nothing here knows whether a picture is legible.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
# The tests' own driver of the browser: one way to speak to it.
browser = runpy.run_path(str(ROOT / "tests" / "integration" / "browser.py"))["browser"]
Page = Any


def transvase(*words: str) -> None:
    """One command of this tree; 1 is a run that went to its end."""
    done = subprocess.run([*COMMAND, *words], env=environment(), check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"transvase {words[0]} ended with {done.returncode}")


COMMAND = (sys.executable, "-m", "transvase.commands.main")


def environment() -> dict[str, str]:
    """That of this process, and nothing imported from the current folder. No PYTHONPATH: Dagster takes away the first entry of the path."""
    return {**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, "PYTHONSAFEPATH": "1"}


@contextmanager
def dagster(settings: Path) -> Iterator[str]:
    """`transvase ui` until the block ends; its address, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Two processes of Dagster's follow this one: they are ended together, as a group.
    started = subprocess.Popen(
        [*COMMAND, "ui", "--settings", str(settings), "--port", str(port)],
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 180
        while True:
            if started.poll() is not None or time.monotonic() > end:
                sys.exit("Dagster's screen did not start: run transvase ui and read what it says")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(started.pid, signal.SIGINT)
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait(30)


def said(page: Page, text: str) -> None:
    """Wait until the page shows a text."""
    page.until(f"document.body.innerText.includes({text!r})", 120)


def report(page: Page, folder: Path) -> None:
    """The head of the audit report."""
    page.size(1100, 1180)
    page.open((folder / "resultats" / "rapport.html").as_uri())


def viewer(page: Page, folder: Path) -> None:
    """A record in the archive's viewer, at its treatments and charts."""
    (archive,) = (folder / "resultats").glob("PA*.ZIP")
    opened = folder / "archive"
    with zipfile.ZipFile(archive) as held:
        held.extractall(opened, [n for n in held.namelist() if n.startswith("VIEWER/")])
    page.size(1280, 860)
    page.open((opened / "VIEWER" / "index.html").as_uri())
    page.until("document.querySelectorAll('#rows a').length")
    # The record that shows the most charts.
    page.ask("""(async () => {
      let best = [-1, 0]
      const rows = [...document.querySelectorAll('#rows a')]
      for (const [n, row] of rows.entries()) {
        row.click()
        await new Promise(r => setTimeout(r, 300))
        const charts = document.querySelectorAll('#record svg').length
        if (charts > best[1]) best = [n, charts]
      }
      rows[best[0]].click()
      await new Promise(r => setTimeout(r, 500))
      const charts = document.querySelector('#record svg')
      charts.closest('section').previousElementSibling.scrollIntoView()
    })()""")


def graph(page: Page, address: str) -> None:
    """The assets and what follows what; the canonical tables stay one box."""
    page.size(1600, 1000)
    page.open(f"{address}/asset-groups")
    said(page, "portability")
    page.until("document.querySelectorAll('foreignObject').length >= 6", 120)
    # The deepest element of that text takes the click, its button hears it.
    page.ask("[...document.querySelectorAll('body *')].findLast(e => e.innerText === 'Hide navigation')?.click()")
    for group in ("verdicts", "dmp", "mss", "portability", "evidence"):
        # What is in the box that bears the group's name takes the click.
        page.ask(
            f"[...document.querySelectorAll('foreignObject *')].find(e => e.innerText === {group!r})"
            "?.dispatchEvent(new MouseEvent('click', {bubbles: true}))"
        )
        time.sleep(2)
    # Opened groups stand in the address: loaded again, the whole fits the window.
    page.open(page.ask("location.href"))
    said(page, "mss_messages")
    time.sleep(10)


def asset(page: Page, address: str) -> None:
    """One asset: its last materialization, its counts, its checks."""
    page.size(1600, 1000)
    page.open(f"{address}/assets/dmp_submissions")
    said(page, "Latest check results")
    time.sleep(8)


PICTURES: dict[str, tuple[str, Callable[[Page, Any], None]]] = {
    "report": ("audit-report.png", report),
    "viewer": ("viewer.png", viewer),
    "graph": ("dagster-graph.png", graph),
    "asset": ("dagster-asset.png", asset),
}
OF_DAGSTER = ("graph", "asset")


def kept(page: Page, name: str) -> None:
    """Write the picture with a palette of 128 colours: a third of the bytes, and text stays sharp."""
    path = IMAGES / PICTURES[name][0]
    page.picture(path)
    with Image.open(path) as whole:
        small = whole.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT).as_posix()} {path.stat().st_size} bytes")


def main() -> int:
    """Make the demonstration, open what was asked for, keep the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--patients", default="20", help="patients of the invented practice")
    parser.add_argument("--demo", type=Path, help="a folder that transvase demo has filled, instead of a new one")
    options = parser.parse_args()
    names = options.names or list(PICTURES)
    if unknown := set(names) - set(PICTURES):
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        parser.error("needs Chromium (apt install chromium)")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.demo.resolve() if options.demo else Path(temporary) / "demo"
        if not options.demo:
            transvase("demo", str(folder), "--patients", options.patients)
        with browser(program, Path(temporary) / "profile") as page:
            for name in [n for n in names if n not in OF_DAGSTER]:
                PICTURES[name][1](page, folder)
                kept(page, name)
            if wanted := [n for n in names if n in OF_DAGSTER]:
                with dagster(folder / "transvase.toml") as address:
                    for name in wanted:
                        PICTURES[name][1](page, address)
                        kept(page, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

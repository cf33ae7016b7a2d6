"""The report opened by a real browser: drawn from the file alone, in both languages, and still whole on a narrow screen."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.integration.test_report import CLOCK, found, work  # noqa: F401 - fixtures
from transvase.reports import audit
from transvase.reports.findings import Findings

# Without these a browser started by root refuses, or looks for its maker's hosts.
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


@pytest.mark.parametrize(("language", "title", "width"), [("fr", "Rapport d'audit", 1000), ("en", "Audit report", 420)])
def test_the_report_is_drawn(
    found: Findings,  # noqa: F811
    program: Callable[[str], str],
    tmp_path: Path,
    language: str,
    title: str,
    width: int,
) -> None:
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    page.write_bytes(audit.html(found, practice="Cabinet", clock=CLOCK, software="Transvase test", language=language))
    command = [program("chromium"), *QUIET, f"--user-data-dir={tmp_path / 'browser'}", f"--window-size={width},1200"]
    subprocess.run([*command, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True, timeout=120)
    shown = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], check=True, capture_output=True, timeout=120, text=True
    )
    assert (
        f"<title>{title.replace(chr(39), '&#x27;')}</title>" in shown.stdout
        or f"<title>{title}</title>" in shown.stdout
    )
    with Image.open(picture) as image:
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24) or []
    drawn = {colour for n, colour in colours if n > 200}
    # The bar of outcomes: the blue of what is fed, the black of what is blocked.
    assert (0, 114, 178) in drawn
    assert len(drawn) >= 4

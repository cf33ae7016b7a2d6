"""Runs PDFBox Preflight, the PDF/A-1b validator of Debian (libpdfbox2-java, libjaxb-api-java, libactivation-java,
libcommons-io-java and a Java runtime). Only tests use it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

JARS = Path("/usr/share/java")
NEEDED = ("preflight", "pdfbox2", "fontbox2", "xmpbox", "commons-io", "commons-logging", "jaxb-api", "javax.activation")


def missing_jars() -> list[str]:
    """Names of the jars that are not installed."""
    return [name for name in NEEDED if not (JARS / f"{name}.jar").exists()]


def verdicts(java: str, files: Mapping[str, bytes], folder: Path) -> dict[str, list[str]]:
    """Problems of each file by name; an empty list means valid PDF/A-1b. One process for all files.

    Fails when Preflight says nothing of a file: silence is not validity.
    """
    for name, content in files.items():
        (folder / f"{name}.pdf").write_bytes(content)
    listing = folder / "list"
    listing.write_text("".join(f"{folder / name}.pdf\n" for name in files))
    classpath = ":".join(str(JARS / f"{name}.jar") for name in NEEDED)
    command = [java, "-cp", classpath, "org.apache.pdfbox.preflight.Validator_A1b", "xml", "group", str(listing)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    report = folder / "list.preflight.xml"
    assert report.exists(), f"Preflight wrote no report: {done.stderr[-2000:]}"
    found: dict[str, list[str]] = {}
    for result in ElementTree.parse(report).getroot().iter("preflight"):
        name = Path(result.attrib["name"]).stem
        valid = (result.findtext("isValid") or "").strip() == "true"
        errors = [f"{error.findtext('code')} {error.findtext('details')}" for error in result.iter("error")]
        found[name] = [] if valid else errors or ["not valid, without a reason"]
    assert found.keys() == files.keys(), f"Preflight did not answer for {sorted(files.keys() - found.keys())}"
    return found

"""`transvase sandbox` prints settings that can be pasted, of both routes of the DMP."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path


def started(folder: Path, patients: Path, *more: str) -> tuple[list[str], str]:
    """What a sandbox prints until it serves, and what it says beside."""
    main = "import sys; from transvase.commands.main import main; sys.exit(main())"
    asked = [sys.executable, "-c", main, "sandbox", str(folder), "--patients", str(patients), "--port", "0", *more]
    with subprocess.Popen(
        asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout and process.stderr
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if line.startswith("since"):
                    break
        finally:
            # Not `terminate`: Dagster gives SIGTERM the fate of SIGINT, which a job in the background ignores, and so do its children.
            process.kill()
        return lines, process.stderr.read()


def test_the_printed_lines_are_settings_of_either_route(tmp_path: Path) -> None:
    patients = tmp_path / "patients.csv"
    patients.write_text("ins,oid,state\n180017599000193,1.2.250.1.213.1.4.10,active\n", encoding="utf-8")
    lines, _ = started(tmp_path / "dmp", patients)
    soap = tomllib.loads("".join(lines))["feed"]
    assert soap["url"].endswith("/si-dmp-server/v2/services")
    other = [line.removeprefix("# ") for line in lines if not line.startswith("url = ")]
    fhir = tomllib.loads("".join(other))["feed"]
    assert fhir["route"] == "fhir"
    assert fhir["url"] == soap["url"].removesuffix("/si-dmp-server/v2/services") + "/fhir"
    assert {k: v for k, v in fhir.items() if k not in ("route", "url")} == {k: v for k, v in soap.items() if k != "url"}


def test_certificates_of_another_structure_than_the_one_asked_for_are_said_so(tmp_path: Path) -> None:
    patients = tmp_path / "patients.csv"
    patients.write_text("ins,oid,state\n", encoding="utf-8")
    _, untold = started(tmp_path / "dmp", patients)
    assert "certificats de la structure 1990000000 :" in untold and "--structure STRUCT_IDNAT" in untold
    assert len(untold.splitlines()) == 1
    # Those of the folder stay: asking for another structure there changes nothing.
    _, kept = started(tmp_path / "dmp", patients, "--structure", "1990000713", "--lang", "en")
    assert "certificates of structure 1990000000:" in kept
    _, same = started(tmp_path / "autre", patients, "--structure", "1990000713")
    assert same == ""

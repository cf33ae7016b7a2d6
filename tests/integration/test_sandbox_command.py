"""`transvase sandbox` prints settings that can be pasted, of both routes of the DMP."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path


def test_the_printed_lines_are_settings_of_either_route(tmp_path: Path) -> None:
    patients = tmp_path / "patients.csv"
    patients.write_text("ins,oid,state\n180017599000193,1.2.250.1.213.1.4.10,active\n", encoding="utf-8")
    main = "import sys; from transvase.commands.main import main; sys.exit(main())"
    asked = [sys.executable, "-c", main, "sandbox", str(tmp_path / "dmp"), "--patients", str(patients), "--port", "0"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if line.startswith("since"):
                    break
        finally:
            process.terminate()
    soap = tomllib.loads("".join(lines))["feed"]
    assert soap["url"].endswith("/si-dmp-server/v2/services")
    other = [line.removeprefix("# ") for line in lines if not line.startswith("url = ")]
    fhir = tomllib.loads("".join(other))["feed"]
    assert fhir["route"] == "fhir"
    assert fhir["url"] == soap["url"].removesuffix("/si-dmp-server/v2/services") + "/fhir"
    assert {k: v for k, v in fhir.items() if k not in ("route", "url")} == {k: v for k, v in soap.items() if k != "url"}

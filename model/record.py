"""A patient's record in memory: for each canonical table, the rows as named tuples in declared column order.

Rows come from `fetchall()` of an ordered query, so a lot of patients costs one query per table and no model object.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from transvase.model.tables import TABLES

# One named-tuple class per canonical table: `ROW["patient"]._make(values)`.
ROW: dict[str, Any] = {name: namedtuple(name, [c.name for c in table.columns]) for name, table in TABLES.items()}

# Table name -> rows of one patient, ordered by key. A table without rows is absent or empty.
Record = dict[str, list[Any]]

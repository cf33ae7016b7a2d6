"""Level-3 entries, one module per clinical concept: canonical rows in, rows of the narrative table and entries out.

`write(rows, ids, mark)` of each concept returns the two texts. `ids` is the OID under which entry identifiers are made, already
escaped; `mark` starts the XML IDs of the table, one letter for each section. Sections and their order belong to the document
model (`vsm.py`). Values come from `coding`, `dating` and `wording`.
"""

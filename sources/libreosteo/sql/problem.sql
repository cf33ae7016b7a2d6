-- History is free text, one field for each kind: one row holds the whole field, verbatim, as affirmed by whoever typed it.
-- Nothing is read in the text: "aucun" stays a text that says so. An empty field gives no row: nothing recorded.
SELECT
  id || '-medical_history' AS key,
  CAST(id AS TEXT) AS patient,
  'history' AS category,
  medical_history AS label,
  'affirmed' AS assertion,
  'libreosteoweb_patient' AS source_table,
  CAST(id AS TEXT) AS source_key
FROM libreosteoweb_patient
WHERE medical_history <> ''
UNION ALL
SELECT
  id || '-surgical_history',
  CAST(id AS TEXT),
  'surgery',
  surgical_history,
  'affirmed',
  'libreosteoweb_patient',
  CAST(id AS TEXT)
FROM libreosteoweb_patient
WHERE surgical_history <> ''
UNION ALL
SELECT
  id || '-trauma_history',
  CAST(id AS TEXT),
  'trauma',
  trauma_history,
  'affirmed',
  'libreosteoweb_patient',
  CAST(id AS TEXT)
FROM libreosteoweb_patient
WHERE trauma_history <> ''
UNION ALL
SELECT
  id || '-family_history',
  CAST(id AS TEXT),
  'family',
  family_history,
  'affirmed',
  'libreosteoweb_patient',
  CAST(id AS TEXT)
FROM libreosteoweb_patient
WHERE family_history <> ''

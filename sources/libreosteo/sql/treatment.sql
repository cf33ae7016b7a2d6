-- Current treatments are one free text: one row, verbatim. An empty field gives no row: nothing recorded.
SELECT
  id || '-current_treatment' AS key,
  CAST(id AS TEXT) AS patient,
  current_treatment AS label,
  'affirmed' AS assertion,
  'libreosteoweb_patient' AS source_table,
  CAST(id AS TEXT) AS source_key
FROM libreosteoweb_patient
WHERE current_treatment <> ''

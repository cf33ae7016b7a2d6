-- Occupation goes to patient.occupation; these are tobacco, hobbies and laterality.
-- Tobacco is a box, unticked by default: what an unticked box is worth is decided, with its reason, in mappings/smoker.csv; any
-- other value is not recorded. The label is what the assertion is about, so it is the same for yes and no, and no value is needed.
SELECT
  p.id || '-smoker' AS key,
  CAST(p.id AS TEXT) AS patient,
  'tobacco' AS category,
  'Fumeur' AS label,
  NULL AS value,
  COALESCE(m.code, 'not_recorded') AS assertion,
  'libreosteoweb_patient' AS source_table,
  CAST(p.id AS TEXT) AS source_key
FROM libreosteoweb_patient p
LEFT JOIN temp.map_smoker m ON m.local = CAST(p.smoker AS TEXT)
UNION ALL
SELECT
  id || '-hobbies',
  CAST(id AS TEXT),
  'social',
  'Loisirs',
  hobbies,
  'affirmed',
  'libreosteoweb_patient',
  CAST(id AS TEXT)
FROM libreosteoweb_patient
WHERE hobbies <> ''
UNION ALL
-- As recorded, in the product's words. The file importer writes R for whatever is not L.
SELECT
  p.id || '-laterality',
  CAST(p.id AS TEXT),
  'other',
  'Latéralité',
  COALESCE(m.code, p.laterality),
  'affirmed',
  'libreosteoweb_patient',
  CAST(p.id AS TEXT)
FROM libreosteoweb_patient p
LEFT JOIN temp.map_laterality m ON m.local = p.laterality
WHERE p.laterality <> ''

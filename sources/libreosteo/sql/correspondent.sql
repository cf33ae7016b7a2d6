-- The product's only correspondents are its patients' attending physicians, "médecin traitant", outside the practice, so
-- patient.attending cannot name them. One row for the physician, then one for each patient who has declared that physician.
SELECT
  CAST(d.id AS TEXT) AS key,
  NULL AS patient,
  d.family_name AS family,
  NULLIF(d.first_name, '') AS given,
  'Médecin traitant' AS specialty,
  NULLIF(d.phone, '') AS phone,
  NULLIF(d.city, '') AS city,
  'libreosteoweb_regulardoctor' AS source_table,
  CAST(d.id AS TEXT) AS source_key
FROM libreosteoweb_regulardoctor d
UNION ALL
SELECT
  p.id || '-doctor-' || p.doctor_id,
  CAST(p.id AS TEXT),
  -- A link to a physician who is gone is kept, without a name.
  COALESCE(d.family_name, ''),
  NULLIF(d.first_name, ''),
  'Médecin traitant',
  NULLIF(d.phone, ''),
  NULLIF(d.city, ''),
  'libreosteoweb_patient',
  CAST(p.id AS TEXT)
FROM libreosteoweb_patient p
LEFT JOIN libreosteoweb_regulardoctor d ON d.id = p.doctor_id
WHERE p.doctor_id IS NOT NULL

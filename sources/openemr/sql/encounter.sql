-- The key is the number of the visit, the one that forms, prescriptions and orders hold, not the id of the row. A visit whose form was
-- deleted stays whole in native. Times are those of the server's clock, local time of the practice.
WITH filed AS (
  SELECT form_id, MIN(deleted) AS deleted FROM forms WHERE formdir = 'newpatient' GROUP BY form_id
)
SELECT
  COALESCE(CAST(e.encounter AS CHAR), CONCAT('form-', e.id)) AS `key`,
  CAST(e.pid AS CHAR) AS patient,
  CAST(NULLIF(e.provider_id, 0) AS CHAR) AS practitioner,
  NULLIF(REPLACE(CAST(e.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00') AS start,
  NULLIF(REPLACE(CAST(e.date_end AS CHAR), ' ', 'T'), '0000-00-00T00:00:00') AS `end`,
  NULLIF(c.code, '') AS mode,
  e.reason,
  'form_encounter' AS source_table,
  CAST(e.id AS CHAR) AS source_key
FROM form_encounter e
LEFT JOIN filed f ON f.form_id = e.id
LEFT JOIN map_encounter_classes c ON c.local = e.class_code
WHERE COALESCE(f.deleted, 0) = 0

-- The code is CVX when there is one. Its name is in the table of codes where the practice has loaded CVX, else in the product's short
-- list of vaccines; without either, the code is all that was recorded. A line added by error stays whole in native.
SELECT
  CAST(i.id AS CHAR) AS `key`,
  CAST(i.patient_id AS CHAR) AS patient,
  CAST(NULLIF(i.administered_by_id, 0) AS CHAR) AS practitioner,
  NULLIF(i.cvx_code, '') AS code,
  CASE WHEN i.cvx_code <> '' THEN s.code END AS system,
  COALESCE(n.name, o.title, CONCAT('CVX ', NULLIF(i.cvx_code, ''))) AS label,
  i.lot_number AS lot,
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(i.administered_date AS CHAR), 10)), '0000') AS given,
  COALESCE(a.code, 'not_recorded') AS assertion,
  'immunizations' AS source_table,
  CAST(i.id AS CHAR) AS source_key
FROM immunizations i
LEFT JOIN map_code_systems s ON s.local = 'CVX'
LEFT JOIN (
  SELECT c.code, MIN(NULLIF(c.code_text, '')) AS name
  FROM codes c JOIN code_types t ON t.ct_id = c.code_type AND t.ct_key = 'CVX'
  GROUP BY c.code
) n ON n.code = i.cvx_code
LEFT JOIN list_options o ON o.list_id = 'immunizations' AND o.option_id = CAST(NULLIF(i.immunization_id, 0) AS CHAR)
LEFT JOIN map_immunization_states a ON a.local = COALESCE(i.completion_status, '')
WHERE i.added_erroneously = 0

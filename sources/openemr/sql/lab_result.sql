-- Results received, with the patient and the sample of their order and report, whose rows stay in native. A code has the form of LOINC
-- or is the laboratory's own. Bounds are taken when the range is two numbers; the range as received stays in native.
-- Results of a deleted order, cancelled or in error, stay whole in native.
SELECT
  CAST(x.procedure_result_id AS CHAR) AS `key`,
  CAST(o.patient_id AS CHAR) AS patient,
  CAST(NULLIF(x.document_id, 0) AS CHAR) AS document,
  NULLIF(x.result_code, '') AS code,
  CASE WHEN x.result_code REGEXP '^[0-9]{1,7}-[0-9]$' THEN s.code END AS system,
  x.result_text AS label,
  CASE WHEN x.result REGEXP '^-?[0-9]+([.][0-9]+)?$' THEN x.result END AS value,
  CASE WHEN x.result NOT REGEXP '^-?[0-9]+([.][0-9]+)?$' THEN NULLIF(x.result, '') END AS value_text,
  NULLIF(x.units, '') AS unit,
  CASE WHEN x.`range` REGEXP '^[0-9]+([.][0-9]+)? *- *[0-9]+([.][0-9]+)?$' THEN TRIM(SUBSTRING_INDEX(x.`range`, '-', 1)) END AS low,
  CASE WHEN x.`range` REGEXP '^[0-9]+([.][0-9]+)? *- *[0-9]+([.][0-9]+)?$' THEN TRIM(SUBSTRING_INDEX(x.`range`, '-', -1)) END AS high,
  a.code AS flag,
  COALESCE(
    NULLIF(REPLACE(CAST(r.date_collected AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
    NULLIF(REPLACE(CAST(o.date_collected AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
    NULLIF(REPLACE(CAST(x.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00')
  ) AS measured,
  'procedure_result' AS source_table,
  CAST(x.procedure_result_id AS CHAR) AS source_key
FROM procedure_result x
JOIN procedure_report r ON r.procedure_report_id = x.procedure_report_id
JOIN procedure_order o ON o.procedure_order_id = r.procedure_order_id
LEFT JOIN map_code_systems s ON s.local = 'LOINC'
LEFT JOIN map_result_flags a ON a.local = x.abnormal
WHERE o.activity = 1 AND x.result_status NOT IN ('cancel', 'error')

-- One row for each measure of a form of vital signs. The values are those stored, with their unit: OpenEMR keeps pounds, inches and
-- degrees Fahrenheit whatever it shows, and nothing is converted. Decimals are padded to the width of their column (165.000000): the
-- zeros after the last digit are dropped, the number is the same. A zero is the default of the column, not a measure.
-- A form deleted from its visit stays whole in native.
WITH filed AS (
  SELECT form_id, MIN(encounter) AS encounter, MIN(deleted) AS deleted FROM forms WHERE formdir = 'vitals' GROUP BY form_id
),
measure AS (
  SELECT id, pid, date, activity, 'bps' AS field, bps AS said FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'bpd', bpd FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'weight', CAST(weight AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'height', CAST(height AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'temperature', CAST(temperature AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'pulse', CAST(pulse AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'respiration', CAST(respiration AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'BMI', CAST(BMI AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'waist_circ', CAST(waist_circ AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'head_circ', CAST(head_circ AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'oxygen_saturation', CAST(oxygen_saturation AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'oxygen_flow_rate', CAST(oxygen_flow_rate AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'inhaled_oxygen_concentration', CAST(inhaled_oxygen_concentration AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'ped_weight_height', CAST(ped_weight_height AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'ped_bmi', CAST(ped_bmi AS CHAR) FROM form_vitals
  UNION ALL SELECT id, pid, date, activity, 'ped_head_circ', CAST(ped_head_circ AS CHAR) FROM form_vitals
)
SELECT
  CONCAT(v.id, '-', v.field) AS `key`,
  CAST(v.pid AS CHAR) AS patient,
  CAST(f.encounter AS CHAR) AS encounter,
  c.code,
  c.reason AS label,
  CASE WHEN v.said LIKE '%.%' THEN TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM v.said)) ELSE v.said END AS value,
  u.code AS unit,
  NULLIF(REPLACE(CAST(v.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00') AS measured,
  'form_vitals' AS source_table,
  CAST(v.id AS CHAR) AS source_key
FROM measure v
JOIN map_vital_signs c ON c.local = v.field
JOIN map_vital_units u ON u.local = v.field
LEFT JOIN filed f ON f.form_id = v.id
WHERE v.said NOT IN ('', '0') AND v.said NOT REGEXP '^0*[.]0*$' AND v.activity = 1 AND COALESCE(f.deleted, 0) = 0

-- A row of prescriptions is one drug: the prescription and its only line. An order of procedures is a prescription of its own kind; one
-- added "for history purpose only" was not signed here and stays in native with a deleted one.
SELECT
  CAST(r.id AS CHAR) AS `key`,
  CAST(r.patient_id AS CHAR) AS patient,
  CAST(NULLIF(r.provider_id, 0) AS CHAR) AS practitioner,
  CAST(NULLIF(r.encounter, 0) AS CHAR) AS encounter,
  'medication' AS category,
  COALESCE(
    NULLIF(REPLACE(CAST(r.date_added AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
    NULLIF(TRIM(TRAILING '-00' FROM CAST(r.start_date AS CHAR)), '0000')
  ) AS prescribed,
  'prescriptions' AS source_table,
  CAST(r.id AS CHAR) AS source_key
FROM prescriptions r
UNION ALL
SELECT
  CONCAT('order-', o.procedure_order_id),
  CAST(o.patient_id AS CHAR),
  CAST(NULLIF(o.provider_id, 0) AS CHAR),
  CAST(NULLIF(o.encounter_id, 0) AS CHAR),
  COALESCE(t.code, 'other'),
  NULLIF(REPLACE(CAST(o.date_ordered AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  'procedure_order',
  CAST(o.procedure_order_id AS CHAR)
FROM procedure_order o
LEFT JOIN map_order_types t ON t.local = o.procedure_order_type
WHERE o.activity = 1 AND COALESCE(o.history_order, '0') = '0'

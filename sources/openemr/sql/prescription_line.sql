-- The dosage is the text of the prescriber when there is one, else the parts that the screen shows side by side: dose, form, route,
-- interval, each with the title of the product's list. All the parts stay in native. A procedure's code names no code system.
SELECT
  CAST(r.id AS CHAR) AS `key`,
  CAST(r.patient_id AS CHAR) AS patient,
  CAST(r.id AS CHAR) AS prescription,
  NULLIF(r.rxnorm_drugcode, '') AS code,
  CASE WHEN r.rxnorm_drugcode <> '' THEN s.code END AS system,
  r.drug AS label,
  COALESCE(
    NULLIF(r.drug_dosage_instructions, ''),
    NULLIF(
      CONCAT_WS(
        ' ',
        NULLIF(r.dosage, ''),
        NULLIF(f.title, ''),
        NULLIF(COALESCE(u.title, r.route), ''),
        NULLIF(i.title, '')
      ),
      ''
    )
  ) AS dosage,
  r.refills AS renewals,
  'prescriptions' AS source_table,
  CAST(r.id AS CHAR) AS source_key
FROM prescriptions r
LEFT JOIN map_code_systems s ON s.local = 'RXNORM'
LEFT JOIN list_options f ON f.list_id = 'drug_form' AND f.option_id = CAST(r.form AS CHAR)
LEFT JOIN list_options u ON u.list_id = 'drug_route' AND u.option_id = r.route
LEFT JOIN list_options i ON i.list_id = 'drug_interval' AND i.option_id = CAST(r.`interval` AS CHAR)
UNION ALL
SELECT
  CONCAT('order-', c.procedure_order_id, '-', c.procedure_order_seq),
  CAST(o.patient_id AS CHAR),
  CONCAT('order-', c.procedure_order_id),
  NULLIF(c.procedure_code, ''),
  NULL,
  c.procedure_name,
  NULL,
  NULL,
  'procedure_order_code',
  CONCAT(c.procedure_order_id, '|', c.procedure_order_seq)
FROM procedure_order_code c
JOIN procedure_order o ON o.procedure_order_id = c.procedure_order_id
WHERE o.activity = 1 AND COALESCE(o.history_order, '0') = '0'

-- Drugs handed out by the practice itself. Purchases, returns and transfers of its stock are no dispensation and stay in native.
SELECT
  CAST(s.sale_id AS CHAR) AS `key`,
  CAST(s.pid AS CHAR) AS patient,
  CAST(NULLIF(s.prescription_id, 0) AS CHAR) AS prescription,
  NULLIF(d.drug_code, '') AS code,
  CASE WHEN d.drug_code <> '' THEN c.code END AS system,
  d.name AS label,
  CAST(s.quantity AS CHAR) AS quantity,
  NULLIF(TRIM(TRAILING '-00' FROM CAST(s.sale_date AS CHAR)), '0000') AS dispensed,
  'drug_sales' AS source_table,
  CAST(s.sale_id AS CHAR) AS source_key
FROM drug_sales s
LEFT JOIN drugs d ON d.drug_id = s.drug_id
LEFT JOIN map_code_systems c ON c.local = 'RXCUI'
WHERE s.trans_type = 1 AND s.pid > 0

-- Lines of the fee sheet, and payments received. Amounts are in the currency of the practice, which the model takes for euros; codes,
-- adjustments and payers stay in native. A line deleted or voided in the product stays whole in native.
SELECT
  CONCAT('charge-', b.id) AS `key`,
  CAST(NULLIF(b.pid, 0) AS CHAR) AS patient,
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(b.date AS CHAR), 10)), '0000') AS at,
  b.code_text AS label,
  CAST(b.fee AS CHAR) AS amount,
  'billing' AS source_table,
  CAST(b.id AS CHAR) AS source_key
FROM billing b
WHERE b.activity = 1
UNION ALL
SELECT
  CONCAT('payment-', a.pid, '-', a.encounter, '-', a.sequence_no),
  CAST(NULLIF(a.pid, 0) AS CHAR),
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(a.post_time AS CHAR), 10)), '0000'),
  NULLIF(a.memo, ''),
  CAST(a.pay_amount AS CHAR),
  'ar_activity',
  CONCAT(a.pid, '|', a.encounter, '|', a.sequence_no)
FROM ar_activity a
WHERE a.deleted IS NULL

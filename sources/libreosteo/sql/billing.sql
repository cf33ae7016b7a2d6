-- Invoices and payments, each a line; everything else they print stays in native. The patient is the one of the consultation
-- invoiced: the invoice itself holds only a copy of the name. Amounts are in the currency of the office, kept in native.
-- Day in Europe/Paris from UTC; the rule is explained in encounter.sql.
WITH RECURSIVE charged (invoice_id, examination_id) AS (
  SELECT invoice_id, examination_id FROM libreosteoweb_examination_invoices
  UNION
  -- The credit note or invoice that cancels another is reached from the cancelled one only.
  SELECT v.canceled_by_id, c.examination_id
  FROM charged c
  JOIN libreosteoweb_invoice v ON v.id = c.invoice_id
  WHERE v.canceled_by_id IS NOT NULL
),
invoiced AS (
  SELECT c.invoice_id, CAST(min(e.patient_id) AS TEXT) AS patient
  FROM charged c
  JOIN libreosteoweb_examination e ON e.id = c.examination_id
  GROUP BY c.invoice_id
  -- An invoice of several patients' consultations names none, nor does a payment of several patients' invoices.
  HAVING count(DISTINCT e.patient_id) = 1
),
paid AS (
  SELECT x.paiment_id, min(i.patient) AS patient
  FROM libreosteoweb_paiment_invoice x
  LEFT JOIN invoiced i ON i.invoice_id = x.invoice_id
  GROUP BY x.paiment_id
  HAVING count(DISTINCT i.patient) = 1 AND count(i.patient) = count(*)
)
SELECT
  'invoice-' || v.id AS key,
  i.patient,
  COALESCE(
    strftime(
      '%Y-%m-%d',
      substr(v.date, 1, 19),
      CASE
        WHEN substr(v.date, 1, 19) >= date(v.date, 'start of year', '+2 months', '+24 days', 'weekday 0') || ' 01:00:00'
          AND substr(v.date, 1, 19) < CASE
            WHEN substr(v.date, 1, 4) < '1996' THEN date(v.date, 'start of year', '+8 months', '+23 days', 'weekday 0')
            ELSE date(v.date, 'start of year', '+9 months', '+24 days', 'weekday 0')
          END || ' 01:00:00'
        THEN '+2 hours'
        ELSE '+1 hour'
      END
    ),
    v.date
  ) AS at,
  v.number AS label,
  CAST(v.amount AS TEXT) AS amount,
  'libreosteoweb_invoice' AS source_table,
  CAST(v.id AS TEXT) AS source_key
FROM libreosteoweb_invoice v
LEFT JOIN invoiced i ON i.invoice_id = v.id
UNION ALL
SELECT
  'payment-' || v.id,
  p.patient,
  v.date,
  -- The means of payment in the product's words; a code may stand twice in its list.
  COALESCE((SELECT min(m.text) FROM libreosteoweb_paimentmean m WHERE m.code = v.paiment_mode), v.paiment_mode),
  CAST(v.amount AS TEXT),
  'libreosteoweb_paiment',
  CAST(v.id AS TEXT)
FROM libreosteoweb_paiment v
LEFT JOIN paid p ON p.paiment_id = v.id

-- The row comes from the link between document and patient when there is one (the link has the document's key), else from the
-- document alone, an orphan; document_version claims the document itself.
-- Local time of Europe/Paris from UTC; the rule is explained in encounter.sql.
SELECT
  CAST(d.id AS TEXT) AS key,
  CAST(l.patient_id AS TEXT) AS patient,
  CAST(d.user_id AS TEXT) AS practitioner,
  CAST(l.attachment_type AS TEXT) AS local_type,
  NULLIF(m.code, '') AS type_code,
  d.title,
  -- The product writes no document of its own here: files are added from outside.
  'received' AS origin,
  d.document_date AS act,
  COALESCE(
    strftime(
      '%Y-%m-%dT%H:%M:%S',
      substr(d.internal_date, 1, 19),
      CASE
        WHEN substr(d.internal_date, 1, 19) >= date(d.internal_date, 'start of year', '+2 months', '+24 days', 'weekday 0') || ' 01:00:00'
          AND substr(d.internal_date, 1, 19) < CASE
            WHEN substr(d.internal_date, 1, 4) < '1996' THEN date(d.internal_date, 'start of year', '+8 months', '+23 days', 'weekday 0')
            ELSE date(d.internal_date, 'start of year', '+9 months', '+24 days', 'weekday 0')
          END || ' 01:00:00'
        THEN '+2 hours'
        ELSE '+1 hour'
      END
    ),
    d.internal_date
  ) AS created,
  -- The product has no connection to the national record.
  'never' AS fed_state,
  CASE WHEN l.document_id IS NULL THEN 'libreosteoweb_document' ELSE 'libreosteoweb_patientdocument' END AS source_table,
  CAST(d.id AS TEXT) AS source_key
FROM libreosteoweb_document d
LEFT JOIN libreosteoweb_patientdocument l ON l.document_id = d.id
LEFT JOIN temp.map_attachment m ON m.local = CAST(l.attachment_type AS TEXT)

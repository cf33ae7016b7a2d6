-- The product keeps one version. Its body is a file on disk beside the database: the path is relative to the product's media folder,
-- which [source] documents names. Without that folder there is no body, so no digest, no size and no nature.
-- Local time of Europe/Paris from UTC; the rule is explained in encounter.sql.
SELECT
  CAST(d.id AS TEXT) AS key,
  CAST(l.patient_id AS TEXT) AS patient,
  CAST(d.id AS TEXT) AS document,
  1 AS version,
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
  NULLIF(d.mime_type, '') AS media_type,
  d.document_file AS file_name,
  d.document_file AS body_path,
  'libreosteoweb_document' AS source_table,
  CAST(d.id AS TEXT) AS source_key
FROM libreosteoweb_document d
LEFT JOIN libreosteoweb_patientdocument l ON l.document_id = d.id

-- A file lies on the server's disk (url is `file://…/documents/…`): [source] documents names a copy of that folder, without which there is
-- no body, so no digest and no size. The product's own digest and size stay in native. Forms of the portal have their body in the database.
SELECT
  CAST(d.id AS CHAR) AS `key`,
  CAST(NULLIF(d.foreign_id, 0) AS CHAR) AS patient,
  CAST(d.id AS CHAR) AS document,
  1 AS version,
  NULLIF(REPLACE(CAST(d.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00') AS created,
  d.mimetype AS media_type,
  d.url AS file_name,
  NULL AS body,
  d.url AS body_path,
  'documents' AS source_table,
  CAST(d.id AS CHAR) AS source_key
FROM documents d
WHERE d.deleted = 0
UNION ALL
SELECT
  CONCAT('portal-', p.id),
  CAST(NULLIF(p.pid, 0) AS CHAR),
  CONCAT('portal-', p.id),
  1,
  NULLIF(REPLACE(CAST(p.create_date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  NULL,
  NULLIF(p.file_name, ''),
  p.full_document,
  NULL,
  'onsite_documents',
  CAST(p.id AS CHAR)
FROM onsite_documents p

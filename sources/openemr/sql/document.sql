-- Files added to the record, and the forms that patients sign on the portal. The product is connected to no national record: fed_state
-- is never. A deleted document stays whole in native. The category is the first one when a document has several; the links stay in
-- native.
WITH filed AS (
  SELECT x.document_id, MIN(x.category_id) AS category_id FROM categories_to_documents x GROUP BY x.document_id
)
SELECT
  CAST(d.id AS CHAR) AS `key`,
  CAST(NULLIF(d.foreign_id, 0) AS CHAR) AS patient,
  CAST(NULLIF(d.owner, 0) AS CHAR) AS practitioner,
  CAST(NULLIF(d.encounter_id, 0) AS CHAR) AS encounter,
  c.name AS local_type,
  NULLIF(m.code, '') AS type_code,
  d.name AS title,
  -- The product keeps no document of its own making here: files are added from outside.
  'received' AS origin,
  NULLIF(TRIM(TRAILING '-00' FROM CAST(d.docdate AS CHAR)), '0000') AS act,
  NULLIF(REPLACE(CAST(d.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00') AS created,
  'never' AS fed_state,
  'documents' AS source_table,
  CAST(d.id AS CHAR) AS source_key
FROM documents d
LEFT JOIN filed f ON f.document_id = d.id
LEFT JOIN categories c ON c.id = f.category_id
LEFT JOIN map_document_categories m ON m.local = c.name
WHERE d.deleted = 0
UNION ALL
SELECT
  CONCAT('portal-', p.id),
  CAST(NULLIF(p.pid, 0) AS CHAR),
  CAST(NULLIF(p.provider, 0) AS CHAR),
  CAST(NULLIF(p.encounter, 0) AS CHAR),
  p.doc_type,
  NULL,
  p.doc_type,
  'patient',
  NULLIF(REPLACE(CAST(p.create_date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  NULLIF(REPLACE(CAST(p.create_date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  'never',
  'onsite_documents',
  CAST(p.id AS CHAR)
FROM onsite_documents p

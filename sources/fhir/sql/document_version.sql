-- The contents of each DocumentReference in order, from the one replaced first to the newest (see document.sql); then those of reports,
-- and the contents that no reference describes. A content is in the attachment, in the Binary it refers to, or in a file of the folder.
WITH RECURSIVE
link AS (
  SELECT id AS new, referred(r->>'$.target.reference') AS old
  FROM (SELECT id, unnest(relatesTo->'$[*]') AS r FROM DocumentReference WHERE COALESCE(status, '') <> 'entered-in-error')
  WHERE (r->>'$.code') = 'replaces'
),
next AS (
  SELECT l.old, min(l.new) AS new FROM link l JOIN DocumentReference d ON d.id = l.old
  WHERE COALESCE(d.status, '') <> 'entered-in-error' GROUP BY l.old
),
chain(id, head, depth) AS (
  SELECT id, id, 0 FROM DocumentReference
  WHERE COALESCE(status, '') <> 'entered-in-error' AND NOT EXISTS (SELECT 1 FROM next WHERE next.old = DocumentReference.id)
  UNION ALL
  SELECT n.old, c.head, c.depth + 1 FROM chain c JOIN next n ON n.new = c.id
),
used AS (
  SELECT DISTINCT referred(url) AS id FROM (
    SELECT unnest(content->>'$[*].attachment.url') AS url FROM DocumentReference
    UNION ALL SELECT unnest(presentedForm->>'$[*].url') FROM DiagnosticReport
  )
)
, attached AS (
  SELECT d.id, c.head AS document, c.depth, a.place, referred(d.subject->>'$.reference') AS patient, d.date AS created,
    a.attachment, 'DocumentReference' AS source
  FROM chain c
  JOIN DocumentReference d ON d.id = c.id
  LEFT JOIN (
    SELECT id, (unnest(content->'$[*]')->'$.attachment') AS attachment, generate_subscripts(content->'$[*]', 1) AS place FROM DocumentReference
  ) a ON a.id = d.id
  UNION ALL
  SELECT id, 'report-' || id, 0, place, patient, issued, attachment, 'DiagnosticReport'
  FROM (
    SELECT id, referred(subject->>'$.reference') AS patient, issued, status, unnest(presentedForm->'$[*]') AS attachment,
      generate_subscripts(presentedForm->'$[*]', 1) AS place
    FROM DiagnosticReport
  )
  WHERE COALESCE(status, '') <> 'entered-in-error'
)
SELECT
  a.document || '-' || a.id || '-' || COALESCE(a.place, 1) AS key,
  a.patient,
  a.document,
  row_number() OVER (PARTITION BY a.document ORDER BY a.depth DESC, a.id, a.place) AS version,
  local_time(COALESCE(a.attachment->>'$.creation', a.created)) AS created,
  COALESCE(a.attachment->>'$.contentType', b.contentType) AS media_type,
  COALESCE(a.attachment->>'$.url', a.attachment->>'$.title') AS file_name,
  COALESCE(a.attachment->>'$.data', b.data) AS body,
  CASE
    WHEN (a.attachment->>'$.data') IS NULL AND b.data IS NULL AND NOT regexp_matches(a.attachment->>'$.url', '^(https?:|urn:|#|Binary/)', 'i')
    THEN (a.attachment->>'$.url')
  END AS body_path,
  CASE WHEN b.id IS NULL OR (a.attachment->>'$.data') IS NOT NULL THEN a.source ELSE 'Binary' END AS source_table,
  CASE WHEN b.id IS NULL OR (a.attachment->>'$.data') IS NOT NULL THEN a.id ELSE b.id END AS source_key
FROM attached a
LEFT JOIN "Binary" b ON b.id = referred(a.attachment->>'$.url')
UNION ALL
SELECT
  'binary-' || b.id,
  p.id,
  'binary-' || b.id,
  1,
  NULL,
  b.contentType,
  NULL,
  b.data,
  NULL,
  'Binary',
  b.id
FROM "Binary" b
LEFT JOIN Patient p ON p.id = referred(b.securityContext->>'$.reference')
WHERE NOT EXISTS (SELECT 1 FROM used u WHERE u.id = b.id)

-- A DocumentReference that another replaces is an earlier version of that one's document; one entered in error stays whole in native, as
-- do those that replace each other in a circle. Then the reports that laboratories and imaging present, and the contents that no
-- reference describes. Only what the practice itself keeps in custody counts as produced here (see practice.sql for which it is): a
-- document is the practice's to feed only then. What another software fed is not said by R4, so its history is unknown.
WITH RECURSIVE
managing AS (
  SELECT DISTINCT referred(managingOrganization->>'$.reference') AS id FROM Patient
),
exercising AS (
  SELECT DISTINCT referred(organization->>'$.reference') AS id FROM PractitionerRole
),
own AS (
  SELECT o.id FROM Organization o JOIN managing m ON m.id = o.id
  UNION
  SELECT o.id FROM Organization o JOIN exercising e ON e.id = o.id
  WHERE NOT EXISTS (SELECT 1 FROM Organization x JOIN managing m ON m.id = x.id)
    AND (SELECT count(*) FROM Organization x JOIN exercising y ON y.id = x.id) = 1
  UNION
  SELECT id FROM Organization WHERE (SELECT count(*) FROM Organization) = 1
),
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
SELECT
  d.id AS key,
  referred(d.subject->>'$.reference') AS patient,
  w.person AS practitioner,
  e.id AS encounter,
  CASE WHEN t.code IS NULL THEN COALESCE(concept_code(d.type), d.type->>'$.text') END AS local_type,
  t.code AS type_code,
  COALESCE(d.description, d.content->>'$[0].attachment.title') AS title,
  CASE
    WHEN (d.author->>'$[0].reference') LIKE '%Patient/%' OR (d.author->>'$[0].reference') LIKE '%RelatedPerson/%' THEN 'patient'
    WHEN own.id IS NOT NULL THEN 'produced'
    ELSE 'received'
  END AS origin,
  CASE WHEN own.id IS NULL THEN (d.author->>'$[0].display') END AS external_author,
  local_time(d.context->>'$.period.start') AS act,
  local_time(d.context->>'$.period.end') AS act_end,
  local_time(COALESCE(d.content->>'$[0].attachment.creation', d.date)) AS created,
  CASE WHEN d.securityLabel IS NOT NULL THEN CAST(list_contains(d.securityLabel->>'$[*].coding[*].code', 'MASQUE_PS') AS INTEGER) END AS masked_ps,
  CASE WHEN d.securityLabel IS NOT NULL THEN CAST(list_contains(d.securityLabel->>'$[*].coding[*].code', 'INVISIBLE_PATIENT') AS INTEGER) END
    AS invisible_patient,
  CASE
    WHEN d.securityLabel IS NOT NULL
    THEN CAST(list_contains(d.securityLabel->>'$[*].coding[*].code', 'INVISIBLE_REPRESENTANTS_LEGAUX') AS INTEGER)
  END AS invisible_representatives,
  'unknown' AS fed_state,
  'DocumentReference' AS source_table,
  d.id AS source_key
FROM chain c
JOIN DocumentReference d ON d.id = c.id
LEFT JOIN own ON own.id = referred(d.custodian->>'$.reference')
LEFT JOIN Encounter e ON e.id = referred(d.context->>'$.encounter[0].reference')
LEFT JOIN professional w ON w.reference = target(d.author->>'$[0].reference')
LEFT JOIN map_document_types t ON t.local = (d.type->>'$.coding[0].code')
WHERE c.depth = 0
UNION ALL
SELECT
  'report-' || r.id,
  referred(r.subject->>'$.reference'),
  w.person,
  e.id,
  CASE WHEN t.code IS NULL THEN COALESCE(concept_code(r.code), r.code->>'$.text') END,
  t.code,
  COALESCE(r.presentedForm->>'$[0].title', concept_label(r.code)),
  'received',
  r.performer->>'$[0].display',
  local_time(COALESCE(r.effectiveDateTime, r.effectivePeriod->>'$.start')),
  local_time(r.effectivePeriod->>'$.end'),
  local_time(COALESCE(r.presentedForm->>'$[0].creation', r.issued)),
  NULL,
  NULL,
  NULL,
  'unknown',
  'DiagnosticReport',
  r.id
FROM DiagnosticReport r
LEFT JOIN Encounter e ON e.id = referred(r.encounter->>'$.reference')
LEFT JOIN professional w ON w.reference = target(r.performer->>'$[0].reference')
LEFT JOIN map_document_types t ON t.local = (r.code->>'$.coding[0].code')
WHERE COALESCE(r.status, '') <> 'entered-in-error' AND (r.presentedForm->'$[0]') IS NOT NULL
UNION ALL
SELECT
  'binary-' || b.id,
  p.id,
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  'received',
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  'unknown',
  'Binary',
  b.id
FROM "Binary" b
LEFT JOIN Patient p ON p.id = referred(b.securityContext->>'$.reference')
WHERE NOT EXISTS (SELECT 1 FROM used u WHERE u.id = b.id)

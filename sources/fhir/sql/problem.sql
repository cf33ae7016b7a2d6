-- Conditions; procedures as operations; family history; and the denial of a family history, which R4 says by an Observation. Refuted, or
-- coded as a general absence (mappings/absences.csv), is denied. What was entered in error stays whole in native.
WITH absent AS (
  SELECT c.id, min(a.code) AS code
  FROM Condition c JOIN map_absences a ON list_contains(c.code->>'$.coding[*].code', a.local)
  GROUP BY c.id
),
undone AS (
  SELECT c.id, min(a.code) AS code
  FROM "Procedure" c JOIN map_absences a ON list_contains(c.code->>'$.coding[*].code', a.local)
  GROUP BY c.id
)
SELECT
  c.id AS key,
  referred(c.subject->>'$.reference') AS patient,
  w.person AS practitioner,
  COALESCE(m.code, n.code, 'problem') AS category,
  concept_code(c.code) AS code,
  COALESCE(s.code, concept_system(c.code)) AS system,
  concept_label(c.code) AS label,
  CASE WHEN (c.verificationStatus->>'$.coding[0].code') = 'refuted' THEN 'denied' ELSE COALESCE(a.code, 'affirmed') END AS assertion,
  left(local_time(COALESCE(c.onsetDateTime, c.onsetPeriod->>'$.start')), 10) AS onset,
  left(local_time(COALESCE(c.abatementDateTime, c.abatementPeriod->>'$.end')), 10) AS resolved,
  local_time(c.recordedDate) AS recorded,
  'Condition' AS source_table,
  c.id AS source_key
FROM Condition c
LEFT JOIN absent a ON a.id = c.id
LEFT JOIN professional w ON w.reference = target(COALESCE(c.recorder->>'$.reference', c.asserter->>'$.reference'))
LEFT JOIN map_condition_categories m ON m.local = (c.category->>'$[0].coding[0].code')
LEFT JOIN map_condition_categories n ON n.local = (c.category->>'$[0].text')
LEFT JOIN map_code_systems s ON s.local = concept_system(c.code)
WHERE COALESCE(c.verificationStatus->>'$.coding[0].code', '') <> 'entered-in-error' AND referred(c.subject->>'$.reference') IS NOT NULL
UNION ALL
SELECT
  'procedure-' || c.id,
  referred(c.subject->>'$.reference'),
  w.person,
  'surgery',
  concept_code(c.code),
  COALESCE(s.code, concept_system(c.code)),
  concept_label(c.code),
  CASE WHEN c.status = 'not-done' THEN 'denied' ELSE COALESCE(a.code, 'affirmed') END,
  left(local_time(COALESCE(c.performedDateTime, c.performedPeriod->>'$.start')), 10),
  left(local_time(c.performedPeriod->>'$.end'), 10),
  NULL,
  'Procedure',
  c.id
FROM "Procedure" c
LEFT JOIN undone a ON a.id = c.id
LEFT JOIN professional w ON w.reference = target(COALESCE(c.recorder->>'$.reference', c.performer->>'$[0].actor.reference'))
LEFT JOIN map_code_systems s ON s.local = concept_system(c.code)
WHERE c.status IN ('completed', 'in-progress', 'stopped', 'not-done', 'unknown') AND referred(c.subject->>'$.reference') IS NOT NULL
UNION ALL
SELECT
  'family-' || f.id || '-' || f.place,
  referred(f.patient->>'$.reference'),
  NULL,
  'family',
  concept_code(f.c->'$.code'),
  COALESCE(s.code, concept_system(f.c->'$.code')),
  concept_label(f.c->'$.code'),
  'affirmed',
  NULL,
  NULL,
  local_time(f.date),
  'FamilyMemberHistory',
  f.id
FROM (
  SELECT id, patient, date, status, unnest(condition->'$[*]') AS c, generate_subscripts(condition->'$[*]', 1) AS place FROM FamilyMemberHistory
) f
LEFT JOIN map_code_systems s ON s.local = concept_system(f.c->'$.code')
WHERE COALESCE(f.status, '') <> 'entered-in-error' AND referred(f.patient->>'$.reference') IS NOT NULL
UNION ALL
SELECT
  'family-' || o.id || '-' || o.place,
  referred(o.subject->>'$.reference'),
  w.person,
  'family',
  concept_code(o.c->'$.code'),
  COALESCE(s.code, concept_system(o.c->'$.code')),
  concept_label(o.c->'$.code'),
  'denied',
  NULL,
  NULL,
  local_time(o.effectiveDateTime),
  'Observation',
  o.id
FROM (
  SELECT id, subject, status, code, performer, effectiveDateTime, unnest(component->'$[*]') AS c,
    generate_subscripts(component->'$[*]', 1) AS place
  FROM Observation
) o
LEFT JOIN professional w ON w.reference = target(o.performer->>'$[0].reference')
LEFT JOIN map_code_systems s ON s.local = concept_system(o.c->'$.code')
WHERE (o.code->>'$.coding[0].code') = '10157-6' AND (o.c->>'$.valueCodeableConcept.coding[0].code') = 'N'
  AND COALESCE(o.status, '') NOT IN ('entered-in-error', 'cancelled') AND referred(o.subject->>'$.reference') IS NOT NULL

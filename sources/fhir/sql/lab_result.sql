-- Results of laboratories, of the Observation itself and of its components, digits as received. A comparator (<0.5) makes a value a text.
-- A header of a panel (hasMember without a value) stays in native.
WITH result AS (
  SELECT id, id AS key, subject, status, category, code, valueQuantity AS quantity, COALESCE(valueString, concept_label(valueCodeableConcept)) AS said,
    interpretation->'$[0]' AS interpretation, (referenceRange->'$[0]') AS bounds, method, note, hasMember IS NOT NULL OR component IS NOT NULL AS header,
    COALESCE(effectiveDateTime, effectiveInstant, effectivePeriod->>'$.start') AS at, performer, specimen, issued
  FROM Observation
  UNION ALL
  SELECT id, id || '-' || place, subject, status, category, c->'$.code', (c->'$.valueQuantity'),
    COALESCE(c->>'$.valueString', concept_label(c->'$.valueCodeableConcept')), c->'$.interpretation[0]', c->'$.referenceRange[0]', method, NULL, true,
    COALESCE(effectiveDateTime, effectiveInstant, effectivePeriod->>'$.start'), performer, specimen, issued
  FROM (SELECT *, unnest(component->'$[*]') AS c, generate_subscripts(component->'$[*]', 1) AS place FROM Observation)
)
SELECT
  r.key,
  referred(r.subject->>'$.reference') AS patient,
  concept_code(r.code) AS code,
  COALESCE(s.code, concept_system(r.code)) AS system,
  concept_label(r.code) AS label,
  CASE WHEN (r.quantity->>'$.comparator') IS NULL THEN (r.quantity->>'$.value') END AS value,
  COALESCE(r.said, (r.quantity->>'$.comparator') || ' ' || (r.quantity->>'$.value')) AS value_text,
  COALESCE(r.quantity->>'$.unit', r.quantity->>'$.code') AS unit,
  r.bounds->>'$.low.value' AS low,
  r.bounds->>'$.high.value' AS high,
  f.code AS flag,
  local_time(r.at) AS measured,
  -- The titles as our own export has them.
  picked(r.category, '$.id', 'chapter')->>'$.text' AS chapter,
  picked(r.category, '$.id', 'panel')->>'$.text' AS panel,
  r.specimen->>'$.display' AS specimen,
  concept_label(r.method) AS method,
  t.code AS status,
  picked(r.performer, '$.type', 'Organization')->>'$.display' AS laboratory,
  picked(r.performer, '$.type', 'Practitioner')->>'$.display' AS validated_by,
  local_time(r.issued) AS validated,
  NULLIF(array_to_string(r.note->>'$[*].text', chr(10)), '') AS comment,
  'Observation' AS source_table,
  r.id AS source_key
FROM result r
LEFT JOIN map_code_systems s ON s.local = concept_system(r.code)
LEFT JOIN map_flags f ON f.local = (r.interpretation->>'$.coding[0].code')
LEFT JOIN map_result_states t ON t.local = r.status
WHERE list_contains(r.category->>'$[*].coding[*].code', 'laboratory')
  AND ((r.quantity->>'$.value') IS NOT NULL OR r.said IS NOT NULL OR NOT r.header)
  AND COALESCE(r.status, '') <> 'entered-in-error' AND referred(r.subject->>'$.reference') IS NOT NULL

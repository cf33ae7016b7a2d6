-- Numbers of vital signs, each with its digits: of the Observation itself, else of its components (blood pressure). What is no number, or
-- carries a comparator (<, >), stays in native.
WITH measure AS (
  SELECT id, id AS key, subject, encounter, status, category, code, valueQuantity AS quantity,
    COALESCE(effectiveDateTime, effectiveInstant, effectivePeriod->>'$.start') AS at
  FROM Observation
  UNION ALL
  SELECT id, id || '-' || COALESCE(concept_code(c->'$.code'), CAST(place AS VARCHAR)), subject, encounter, status, category, (c->'$.code'),
    (c->'$.valueQuantity'), COALESCE(effectiveDateTime, effectiveInstant, effectivePeriod->>'$.start')
  FROM (SELECT *, unnest(component->'$[*]') AS c, generate_subscripts(component->'$[*]', 1) AS place FROM Observation)
)
SELECT
  o.key,
  referred(o.subject->>'$.reference') AS patient,
  e.id AS encounter,
  concept_code(o.code) AS code,
  concept_label(o.code) AS label,
  o.quantity->>'$.value' AS value,
  COALESCE(o.quantity->>'$.code', o.quantity->>'$.unit') AS unit,
  local_time(o.at) AS measured,
  'Observation' AS source_table,
  o.id AS source_key
FROM measure o
LEFT JOIN Encounter e ON e.id = referred(o.encounter->>'$.reference')
WHERE list_contains(o.category->>'$[*].coding[*].code', 'vital-signs')
  AND (o.quantity->>'$.value') IS NOT NULL AND (o.quantity->>'$.comparator') IS NULL AND concept_code(o.code) IS NOT NULL AND o.at IS NOT NULL
  AND COALESCE(o.status, '') NOT IN ('entered-in-error', 'cancelled') AND referred(o.subject->>'$.reference') IS NOT NULL

-- What took place or is taking place; planned, cancelled and erroneous encounters, and those without a date, stay whole in native.
SELECT
  e.id AS key,
  referred(e.subject->>'$.reference') AS patient,
  w.person AS practitioner,
  local_time(e.period->>'$.start') AS start,
  local_time(e.period->>'$.end') AS "end",
  m.code AS mode,
  concept_label(e.reasonCode->'$[0]') AS reason,
  'Encounter' AS source_table,
  e.id AS source_key
FROM Encounter e
LEFT JOIN professional w ON w.reference = target(e.participant->>'$[0].individual.reference')
LEFT JOIN map_encounter_classes m ON m.local = (e.class->>'$.code')
WHERE COALESCE(e.status, '') NOT IN ('planned', 'cancelled', 'entered-in-error')
  AND (e.period->>'$.start') IS NOT NULL AND referred(e.subject->>'$.reference') IS NOT NULL

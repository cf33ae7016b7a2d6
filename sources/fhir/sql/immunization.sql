-- Given is affirmed, not done is denied. A date that is a text (occurrenceString) stays in native.
WITH absent AS (
  SELECT c.id, min(a.code) AS code
  FROM Immunization c JOIN map_absences a ON list_contains(c.vaccineCode->>'$.coding[*].code', a.local)
  GROUP BY c.id
)
SELECT
  i.id AS key,
  referred(i.patient->>'$.reference') AS patient,
  w.person AS practitioner,
  concept_code(i.vaccineCode) AS code,
  COALESCE(s.code, concept_system(i.vaccineCode)) AS system,
  concept_label(i.vaccineCode) AS label,
  i.lotNumber AS lot,
  left(local_time(i.occurrenceDateTime), 10) AS given,
  COALESCE(i.protocolApplied->>'$[0].doseNumberPositiveInt', i.protocolApplied->>'$[0].doseNumberString') AS dose,
  concept_label(i.route) AS route,
  concept_label(i.site) AS site,
  i.performer->>'$[0].actor.display' AS performer,
  NULLIF(array_to_string(i.note->>'$[*].text', chr(10)), '') AS comment,
  CASE WHEN i.status = 'not-done' THEN 'denied' ELSE COALESCE(a.code, 'affirmed') END AS assertion,
  'Immunization' AS source_table,
  i.id AS source_key
FROM Immunization i
LEFT JOIN absent a ON a.id = i.id
LEFT JOIN professional w ON w.reference = target(i.performer->>'$[0].actor.reference')
LEFT JOIN map_code_systems s ON s.local = concept_system(i.vaccineCode)
WHERE COALESCE(i.status, '') <> 'entered-in-error' AND referred(i.patient->>'$.reference') IS NOT NULL

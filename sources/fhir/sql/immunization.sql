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
  COALESCE(
    i.protocolApplied->>'$[0].doseNumberPositiveInt',
    -- Our own export says so a dose of unknown rank.
    NULLIF(i.protocolApplied->>'$[0].doseNumberString', 'Inconnu')
  ) AS dose,
  CASE (i.protocolApplied->>'$[0].series') WHEN 'Rappel' THEN 1 WHEN 'Première série' THEN 0 END AS booster,
  concept_label(i.route) AS route,
  picked(i.route->'$.coding', '$.system', 'http://standardterms.edqm.eu')->>'$.code' AS route_code,
  concept_label(i.site) AS site,
  picked(i.site->'$.coding', '$.system', 'http://snomed.info/sct')->>'$.code' AS site_code,
  (i.performer->>'$[*].actor.display')[1] AS performer,
  NULLIF(array_to_string(i.reaction->>'$[*].detail.display', ', '), '') AS reaction,
  NULLIF(array_to_string(i.note->>'$[*].text', chr(10)), '') AS comment,
  CASE WHEN i.status = 'not-done' THEN 'denied' ELSE COALESCE(a.code, 'affirmed') END AS assertion,
  'Immunization' AS source_table,
  i.id AS source_key
FROM Immunization i
LEFT JOIN absent a ON a.id = i.id
LEFT JOIN professional w ON w.reference = target((i.performer->>'$[*].actor.reference')[1])
LEFT JOIN map_code_systems s ON s.local = concept_system(i.vaccineCode)
WHERE COALESCE(i.status, '') <> 'entered-in-error' AND referred(i.patient->>'$.reference') IS NOT NULL

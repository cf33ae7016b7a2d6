-- Not taken, or coded as a general absence, is denied. The product is in the statement, or in the Medication it refers to.
WITH product AS (
  SELECT t.*, COALESCE(t.medicationCodeableConcept, m.code) AS drug
  FROM MedicationStatement t
  LEFT JOIN Medication m ON m.id = referred(t.medicationReference->>'$.reference')
),
absent AS (
  SELECT c.id, min(a.code) AS code
  FROM product c JOIN map_absences a ON list_contains(c.drug->>'$.coding[*].code', a.local)
  GROUP BY c.id
)
SELECT
  t.id AS key,
  referred(t.subject->>'$.reference') AS patient,
  w.person AS practitioner,
  concept_code(t.drug) AS code,
  COALESCE(s.code, concept_system(t.drug)) AS system,
  COALESCE(concept_label(t.drug), t.medicationReference->>'$.display') AS label,
  NULLIF(array_to_string(t.dosage->>'$[*].text', ' ; '), '') AS dosage,
  left(local_time(COALESCE(t.effectivePeriod->>'$.start', t.effectiveDateTime)), 10) AS start,
  left(local_time(t.effectivePeriod->>'$.end'), 10) AS stop,
  -- The words of our own export; R4 has no element for it.
  CASE WHEN list_contains(t.note->>'$[*].text', 'Traitement au long cours') THEN 1 END AS long_term,
  CASE WHEN t.status = 'not-taken' THEN 'denied' ELSE COALESCE(a.code, 'affirmed') END AS assertion,
  'MedicationStatement' AS source_table,
  t.id AS source_key
FROM product t
LEFT JOIN absent a ON a.id = t.id
LEFT JOIN professional w ON w.reference = target(t.informationSource->>'$.reference')
LEFT JOIN map_code_systems s ON s.local = concept_system(t.drug)
WHERE COALESCE(t.status, '') <> 'entered-in-error' AND referred(t.subject->>'$.reference') IS NOT NULL

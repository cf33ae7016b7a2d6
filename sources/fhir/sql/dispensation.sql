SELECT
  d.id AS key,
  referred(d.subject->>'$.reference') AS patient,
  concept_code(COALESCE(d.medicationCodeableConcept, m.code)) AS code,
  COALESCE(s.code, concept_system(COALESCE(d.medicationCodeableConcept, m.code))) AS system,
  COALESCE(concept_label(COALESCE(d.medicationCodeableConcept, m.code)), d.medicationReference->>'$.display') AS label,
  trim((d.quantity->>'$.value') || ' ' || COALESCE(d.quantity->>'$.unit', d.quantity->>'$.code', '')) AS quantity,
  left(local_time(COALESCE(d.whenHandedOver, d.whenPrepared)), 10) AS dispensed,
  'MedicationDispense' AS source_table,
  d.id AS source_key
FROM MedicationDispense d
LEFT JOIN Medication m ON m.id = referred(d.medicationReference->>'$.reference')
LEFT JOIN map_code_systems s ON s.local = concept_system(COALESCE(d.medicationCodeableConcept, m.code))
WHERE COALESCE(d.status, '') NOT IN ('entered-in-error', 'cancelled', 'declined', 'preparation', 'stopped')
  AND referred(d.subject->>'$.reference') IS NOT NULL

-- The lines of prescription.sql. Only the first structured dosage has columns here; all of them are in native, and their words in dosage.
SELECT
  q.id AS key,
  referred(q.subject->>'$.reference') AS patient,
  COALESCE('group-' || referred(q.subject->>'$.reference') || '-' || (q.groupIdentifier->>'$.value'), q.id) AS prescription,
  concept_code(COALESCE(q.medicationCodeableConcept, m.code)) AS code,
  COALESCE(s.code, concept_system(COALESCE(q.medicationCodeableConcept, m.code))) AS system,
  COALESCE(concept_label(COALESCE(q.medicationCodeableConcept, m.code)), q.medicationReference->>'$.display') AS label,
  NULLIF(array_to_string(q.dosageInstruction->>'$[*].text', ' ; '), '') AS dosage,
  COALESCE(trim(
    (q.dispenseRequest->>'$.expectedSupplyDuration.value') || ' '
    || COALESCE(q.dispenseRequest->>'$.expectedSupplyDuration.unit', q.dispenseRequest->>'$.expectedSupplyDuration.code', '')
  ), regexp_extract(q.dosageInstruction->>'$[0].additionalInstruction[0].text', '^Durée : (.*)$', 1)) AS duration,
  q.dispenseRequest->>'$.numberOfRepeatsAllowed' AS renewals,
  CASE WHEN list_contains(q.category->>'$[*].text', 'En rapport avec une ALD') THEN 1 END AS long_term,
  CASE WHEN list_contains(q.category->>'$[*].text', 'En rapport avec un accident du travail ou une maladie professionnelle') THEN 1 END AS work_related,
  CASE WHEN list_contains(q.category->>'$[*].text', 'En rapport avec la prévention') THEN 1 END AS prevention,
  CASE WHEN list_contains(q.category->>'$[*].text', 'Non remboursable') THEN 1 END AS not_reimbursed,
  CASE WHEN list_contains(q.category->>'$[*].text', 'Hors autorisation de mise sur le marché') THEN 1 END AS off_label,
  left(local_time(q.dosageInstruction->>'$[0].timing.repeat.boundsPeriod.start'), 10) AS start,
  left(local_time(q.dosageInstruction->>'$[0].timing.repeat.boundsPeriod.end'), 10) AS stop,
  CASE (q.substitution->>'$.allowedBoolean') WHEN 'false' THEN 1 WHEN 'true' THEN 0 END AS unsubstitutable,
  concept_label(q.substitution->'$.reason') AS unsubstitutable_reason,
  q.dosageInstruction->>'$[0].doseAndRate[0].doseQuantity.value' AS dose,
  COALESCE(q.dosageInstruction->>'$[0].doseAndRate[0].doseQuantity.unit', q.dosageInstruction->>'$[0].doseAndRate[0].doseQuantity.code') AS dose_unit,
  CASE WHEN p.code IS NOT NULL THEN (q.dosageInstruction->>'$[0].timing.repeat.frequency') END AS frequency,
  CASE WHEN p.code IS NOT NULL THEN (q.dosageInstruction->>'$[0].timing.repeat.period') END AS period,
  p.code AS period_unit,
  concept_label(q.dosageInstruction->'$[0].route') AS route,
  picked(q.dosageInstruction->'$[0].route.coding', '$.system', 'http://standardterms.edqm.eu')->>'$.code' AS route_code,
  q.dispenseRequest->>'$.quantity.value' AS quantity,
  COALESCE(q.dispenseRequest->>'$.quantity.unit', q.dispenseRequest->>'$.quantity.code') AS quantity_unit,
  q.dosageInstruction->>'$[0].patientInstruction' AS instruction,
  regexp_replace(
    list_filter(q.note->>'$[*].text', lambda t: starts_with(t, 'Consigne au dispensateur : '))[1], '^Consigne au dispensateur : ', ''
  ) AS dispenser_instruction,
  'MedicationRequest' AS source_table,
  q.id AS source_key
FROM MedicationRequest q
LEFT JOIN Medication m ON m.id = referred(q.medicationReference->>'$.reference')
LEFT JOIN map_code_systems s ON s.local = concept_system(COALESCE(q.medicationCodeableConcept, m.code))
LEFT JOIN map_periods p ON p.local = (q.dosageInstruction->>'$[0].timing.repeat.periodUnit')
WHERE q.intent IN ('order', 'original-order', 'reflex-order', 'filler-order', 'instance-order')
  AND COALESCE(q.status, '') NOT IN ('entered-in-error', 'draft') AND q.authoredOn IS NOT NULL
  AND referred(q.subject->>'$.reference') IS NOT NULL

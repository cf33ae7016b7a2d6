-- Observations of the social history. A coded yes or no is an answer; any other value is what was recorded.
SELECT
  o.id AS key,
  referred(o.subject->>'$.reference') AS patient,
  COALESCE(m.code, 'other') AS category,
  concept_label(o.code) AS label,
  CASE
    WHEN (o.valueCodeableConcept->>'$.coding[0].system') LIKE '%/v2-0136' AND (o.valueCodeableConcept->>'$.text') IN ('Oui', 'Non : absence affirmée')
    THEN NULL
    ELSE COALESCE(
      concept_label(o.valueCodeableConcept),
      o.valueString,
      trim((o.valueQuantity->>'$.value') || ' ' || COALESCE(o.valueQuantity->>'$.unit', o.valueQuantity->>'$.code', ''))
    )
  END AS value,
  CASE
    WHEN (o.valueCodeableConcept->>'$.coding[0].system') LIKE '%/v2-0136' AND (o.valueCodeableConcept->>'$.coding[0].code') = 'N' THEN 'denied'
    WHEN o.valueBoolean = 'false' THEN 'denied'
    ELSE 'affirmed'
  END AS assertion,
  local_time(COALESCE(o.effectiveDateTime, o.effectivePeriod->>'$.start', o.issued)) AS recorded,
  'Observation' AS source_table,
  o.id AS source_key
FROM Observation o
LEFT JOIN map_risk_factors m ON m.local = (o.code->>'$.coding[0].code')
WHERE list_contains(o.category->>'$[*].coding[*].code', 'social-history')
  AND COALESCE(o.status, '') NOT IN ('entered-in-error', 'cancelled') AND referred(o.subject->>'$.reference') IS NOT NULL

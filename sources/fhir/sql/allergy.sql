-- As conditions. Of several reactions all manifestations are named; the gravest severity counts.
WITH absent AS (
  SELECT c.id, min(a.code) AS code
  FROM AllergyIntolerance c JOIN map_absences a ON list_contains(c.code->>'$.coding[*].code', a.local)
  GROUP BY c.id
)
SELECT
  c.id AS key,
  referred(c.patient->>'$.reference') AS patient,
  w.person AS practitioner,
  concept_code(c.code) AS code,
  COALESCE(s.code, concept_system(c.code)) AS system,
  concept_label(c.code) AS label,
  NULLIF(array_to_string(list_concat(
    c.reaction->>'$[*].manifestation[*].text',
    list_filter(
      list_transform(
        json_extract(c.reaction, '$[*].manifestation[*]'),
        lambda m: CASE WHEN json_extract_string(m, '$.text') IS NULL THEN json_extract_string(m, '$.coding[0].display') END
      ),
      lambda t: t IS NOT NULL
    )
  ), ', '), '') AS reaction,
  CASE
    WHEN list_contains(c.reaction->>'$[*].severity', 'severe') THEN 'severe'
    WHEN list_contains(c.reaction->>'$[*].severity', 'moderate') THEN 'moderate'
    WHEN list_contains(c.reaction->>'$[*].severity', 'mild') THEN 'mild'
  END AS severity,
  CASE WHEN (c.verificationStatus->>'$.coding[0].code') = 'refuted' THEN 'denied' ELSE COALESCE(a.code, 'affirmed') END AS assertion,
  left(local_time(c.onsetDateTime), 10) AS onset,
  local_time(c.recordedDate) AS recorded,
  'AllergyIntolerance' AS source_table,
  c.id AS source_key
FROM AllergyIntolerance c
LEFT JOIN absent a ON a.id = c.id
LEFT JOIN professional w ON w.reference = target(COALESCE(c.recorder->>'$.reference', c.asserter->>'$.reference'))
LEFT JOIN map_code_systems s ON s.local = concept_system(c.code)
WHERE COALESCE(c.verificationStatus->>'$.coding[0].code', '') <> 'entered-in-error' AND referred(c.patient->>'$.reference') IS NOT NULL

-- R4 has a request for each line; those of one groupIdentifier and one patient are one prescription, whose row is the first of them.
-- Plans, proposals and errors stay whole in native.
SELECT
  min(key) AS key,
  min(patient) AS patient,
  arg_min(practitioner, id) AS practitioner,
  arg_min(encounter, id) AS encounter,
  'medication' AS category,
  min(prescribed) AS prescribed,
  'MedicationRequest' AS source_table,
  min(id) AS source_key
FROM (
  SELECT
    q.id,
    referred(q.subject->>'$.reference') AS patient,
    COALESCE('group-' || referred(q.subject->>'$.reference') || '-' || (q.groupIdentifier->>'$.value'), q.id) AS key,
    w.person AS practitioner,
    e.id AS encounter,
    local_time(q.authoredOn) AS prescribed
  FROM MedicationRequest q
  LEFT JOIN professional w ON w.reference = target(q.requester->>'$.reference')
  LEFT JOIN Encounter e ON e.id = referred(q.encounter->>'$.reference')
  WHERE q.intent IN ('order', 'original-order', 'reflex-order', 'filler-order', 'instance-order')
    AND COALESCE(q.status, '') NOT IN ('entered-in-error', 'draft') AND q.authoredOn IS NOT NULL
    AND referred(q.subject->>'$.reference') IS NOT NULL
)
GROUP BY patient, key

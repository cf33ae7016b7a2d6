-- R4 has a request for each line; those of one groupIdentifier and one patient are one prescription, whose row is the first of them.
-- Plans, proposals and errors stay whole in native.
SELECT
  min(key) AS key,
  min(patient) AS patient,
  arg_min(practitioner, id) AS practitioner,
  arg_min(encounter, id) AS encounter,
  'medication' AS category,
  min(prescribed) AS prescribed,
  max(valid_until) AS valid_until,
  min(e_prescription) AS e_prescription,
  max(two_zones) AS two_zones,
  max(exceptional) AS exceptional,
  max(secured) AS secured,
  max(urgent) AS urgent,
  max(at_home) AS at_home,
  'MedicationRequest' AS source_table,
  min(id) AS source_key
FROM (
  SELECT
    q.id,
    referred(q.subject->>'$.reference') AS patient,
    COALESCE('group-' || referred(q.subject->>'$.reference') || '-' || (q.groupIdentifier->>'$.value'), q.id) AS key,
    w.person AS practitioner,
    e.id AS encounter,
    local_time(q.authoredOn) AS prescribed,
    left(local_time(q.dispenseRequest->>'$.validityPeriod.end'), 10) AS valid_until,
    -- The words of our own export; R4 has no element for these.
    picked(q.identifier, '$.type.text', 'Numéro d''ordonnance numérique (EPU)')->>'$.value' AS e_prescription,
    CASE WHEN list_contains(q.category->>'$[*].text', 'Ordonnance bizone') THEN 1 END AS two_zones,
    CASE WHEN list_contains(q.category->>'$[*].text', 'Ordonnance de médicaments d''exception') THEN 1 END AS exceptional,
    CASE WHEN list_contains(q.category->>'$[*].text', 'Ordonnance sécurisée') THEN 1 END AS secured,
    CASE WHEN q.priority IN ('urgent', 'asap', 'stat') THEN 1 END AS urgent,
    CASE WHEN list_contains(q.category->>'$[*].text', 'Exécution à domicile') THEN 1 END AS at_home
  FROM MedicationRequest q
  LEFT JOIN professional w ON w.reference = target(q.requester->>'$.reference')
  LEFT JOIN Encounter e ON e.id = referred(q.encounter->>'$.reference')
  WHERE q.intent IN ('order', 'original-order', 'reflex-order', 'filler-order', 'instance-order')
    AND COALESCE(q.status, '') NOT IN ('entered-in-error', 'draft') AND q.authoredOn IS NOT NULL
    AND referred(q.subject->>'$.reference') IS NOT NULL
)
GROUP BY patient, key

-- Of several participants the first patient and the first professional count; all stay in native. One without a start stays there whole.
WITH participant AS (
  SELECT id, (unnest(participant->'$[*]')->>'$.actor.reference') AS reference FROM Appointment
),
actor AS (
  SELECT a.id, min(p.id) AS patient, min(w.person) AS practitioner
  FROM participant a
  LEFT JOIN Patient p ON p.id = referred(a.reference) AND (a.reference LIKE '%Patient/%' OR a.reference LIKE 'urn:uuid:%')
  LEFT JOIN professional w ON w.reference = target(a.reference)
  GROUP BY a.id
)
SELECT
  a.id AS key,
  c.patient,
  c.practitioner,
  local_time(a.start) AS start,
  local_time(a."end") AS "end",
  m.code AS status,
  COALESCE(a.description, concept_label(a.appointmentType)) AS label,
  'Appointment' AS source_table,
  a.id AS source_key
FROM Appointment a
LEFT JOIN actor c ON c.id = a.id
LEFT JOIN map_appointment_states m ON m.local = a.status
WHERE COALESCE(a.status, '') <> 'entered-in-error' AND a.start IS NOT NULL

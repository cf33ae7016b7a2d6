SELECT
  e.id AS key,
  p.id AS patient,
  COALESCE(e.agent->>'$[0].altId', e.agent->>'$[0].name', e.agent->>'$[0].who.display', e.agent->>'$[0].who.reference') AS actor,
  local_time(e.recorded) AS at,
  COALESCE(e.subtype->>'$[0].display', e.subtype->>'$[0].code', e.type->>'$.display', e.type->>'$.code', e.action) AS action,
  COALESCE(e.entity->>'$[0].what.reference', e.entity->>'$[0].name') AS object,
  'AuditEvent' AS source_table,
  e.id AS source_key
FROM AuditEvent e
LEFT JOIN (
  SELECT id, min(referred(r)) AS patient FROM (SELECT id, unnest(entity->>'$[*].what.reference') AS r FROM AuditEvent) WHERE r LIKE '%Patient/%' GROUP BY id
) n ON n.id = e.id
LEFT JOIN Patient p ON p.id = n.patient
WHERE e.recorded IS NOT NULL

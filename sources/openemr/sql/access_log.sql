-- The audit log, the disclosures, and the calls of its API. What the log says in `comments` is the text of a query, often encoded: it
-- stays in native, as do the bodies of the calls.
SELECT
  CONCAT('log-', l.id) AS `key`,
  CAST(NULLIF(l.patient_id, 0) AS CHAR) AS patient,
  l.user AS actor,
  NULLIF(REPLACE(CAST(l.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00') AS at,
  l.event AS action,
  l.category AS object,
  'log' AS source_table,
  CAST(l.id AS CHAR) AS source_key
FROM log l
UNION ALL
SELECT
  CONCAT('disclosure-', d.id),
  CAST(NULLIF(d.patient_id, 0) AS CHAR),
  d.user,
  NULLIF(REPLACE(CAST(d.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  d.event,
  d.recipient,
  'extended_log',
  CAST(d.id AS CHAR)
FROM extended_log d
UNION ALL
SELECT
  CONCAT('api-', a.id),
  CAST(NULLIF(a.patient_id, 0) AS CHAR),
  COALESCE(u.username, CAST(a.user_id AS CHAR)),
  NULLIF(REPLACE(CAST(a.created_time AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  a.method,
  a.request,
  'api_log',
  CAST(a.id AS CHAR)
FROM api_log a
LEFT JOIN users u ON u.id = a.user_id

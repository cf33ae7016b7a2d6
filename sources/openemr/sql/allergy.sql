-- Allergies of the list of issues; codes, errors and "None" as in problem.sql. A reaction that is a code of the product's list gets the
-- title of the list; "Unassigned" says nothing.
WITH account AS (
  SELECT username, MIN(id) AS id FROM users WHERE username <> '' GROUP BY username
)
SELECT
  CAST(l.id AS CHAR) AS `key`,
  CAST(l.pid AS CHAR) AS patient,
  CAST(a.id AS CHAR) AS practitioner,
  NULLIF(SUBSTRING_INDEX(SUBSTRING_INDEX(l.diagnosis, ';', 1), ':', -1), '') AS code,
  c.code AS system,
  l.title AS label,
  CASE WHEN l.reaction NOT IN ('', 'unassigned') THEN COALESCE(o.title, l.reaction) END AS reaction,
  s.code AS severity,
  COALESCE(v.code, 'not_recorded') AS assertion,
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(l.begdate AS CHAR), 10)), '0000') AS onset,
  NULLIF(REPLACE(CAST(l.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00') AS recorded,
  'lists' AS source_table,
  CAST(l.id AS CHAR) AS source_key
FROM lists l
JOIN map_issue_types t ON t.local = l.type AND t.code = 'allergy'
LEFT JOIN map_verifications v ON v.local = l.verification
LEFT JOIN map_severities s ON s.local = l.severity_al
LEFT JOIN map_code_systems c ON c.local = SUBSTRING_INDEX(l.diagnosis, ':', 1)
LEFT JOIN list_options o ON o.list_id = 'reaction' AND o.option_id = l.reaction
LEFT JOIN account a ON a.username = l.user
WHERE COALESCE(v.code, 'not_recorded') <> ''
UNION ALL
SELECT
  CONCAT('none-', n.pid),
  CAST(n.pid AS CHAR),
  NULL,
  NULL,
  NULL,
  'Allergies',
  NULL,
  NULL,
  'denied',
  NULL,
  NULLIF(REPLACE(CAST(n.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  'lists_touch',
  CONCAT(n.pid, '|', n.type)
FROM lists_touch n
WHERE n.type = 'allergy' AND NOT EXISTS (SELECT 1 FROM lists l WHERE l.pid = n.pid AND l.type = n.type)

-- Medications of the list of issues, ordered here or not; codes, errors and "None" as in problem.sql. The dosage is in a table beside
-- it, whose rows stay in native.
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
  (SELECT MIN(NULLIF(k.drug_dosage_instructions, '')) FROM lists_medication k WHERE k.list_id = l.id) AS dosage,
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(l.begdate AS CHAR), 10)), '0000') AS start,
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(l.enddate AS CHAR), 10)), '0000') AS stop,
  COALESCE(v.code, 'not_recorded') AS assertion,
  'lists' AS source_table,
  CAST(l.id AS CHAR) AS source_key
FROM lists l
JOIN map_issue_types t ON t.local = l.type AND t.code = 'treatment'
LEFT JOIN map_verifications v ON v.local = l.verification
LEFT JOIN map_code_systems c ON c.local = SUBSTRING_INDEX(l.diagnosis, ':', 1)
LEFT JOIN account a ON a.username = l.user
WHERE COALESCE(v.code, 'not_recorded') <> ''
UNION ALL
SELECT
  CONCAT('none-', n.pid),
  CAST(n.pid AS CHAR),
  NULL,
  NULL,
  NULL,
  'Traitements',
  NULL,
  NULL,
  NULL,
  'denied',
  'lists_touch',
  CONCAT(n.pid, '|', n.type)
FROM lists_touch n
WHERE n.type = 'medication' AND NOT EXISTS (SELECT 1 FROM lists l WHERE l.pid = n.pid AND l.type = n.type)

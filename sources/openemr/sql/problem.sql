-- Problems and surgeries of the list of issues. Of the codes recorded (`ICD10:E11.9;SNOMED-CT:44054006`) the first is taken; all of them
-- stay in native with the time of the dates, the activity and the outcome, which have no column here. What was entered in error stays
-- whole in native.
WITH newest AS (
  -- Each save of the history adds a row; the product shows the last one, the others stay in native.
  SELECT id FROM (
    SELECT id, ROW_NUMBER() OVER (PARTITION BY pid ORDER BY date DESC, id DESC) AS place FROM history_data
  ) numbered
  WHERE place = 1
),
latest AS (
  SELECT h.* FROM newest n JOIN history_data h ON h.id = n.id
),
family AS (
  SELECT id, pid, date, 'history_mother' AS field, 'Mère' AS heading, history_mother AS said, dc_mother AS codes FROM latest
  UNION ALL SELECT id, pid, date, 'history_father', 'Père', history_father, dc_father FROM latest
  UNION ALL SELECT id, pid, date, 'history_siblings', 'Fratrie', history_siblings, dc_siblings FROM latest
  UNION ALL SELECT id, pid, date, 'history_offspring', 'Descendance', history_offspring, dc_offspring FROM latest
  UNION ALL SELECT id, pid, date, 'history_spouse', 'Conjoint', history_spouse, dc_spouse FROM latest
  UNION ALL SELECT id, pid, date, 'relatives_cancer', 'Cancer', relatives_cancer, NULL FROM latest
  UNION ALL SELECT id, pid, date, 'relatives_tuberculosis', 'Tuberculose', relatives_tuberculosis, NULL FROM latest
  UNION ALL SELECT id, pid, date, 'relatives_diabetes', 'Diabète', relatives_diabetes, NULL FROM latest
  UNION ALL SELECT id, pid, date, 'relatives_high_blood_pressure', 'Hypertension artérielle', relatives_high_blood_pressure, NULL FROM latest
  UNION ALL SELECT id, pid, date, 'relatives_heart_problems', 'Maladie cardiaque', relatives_heart_problems, NULL FROM latest
  UNION ALL SELECT id, pid, date, 'relatives_stroke', 'Accident vasculaire cérébral', relatives_stroke, NULL FROM latest
  UNION ALL SELECT id, pid, date, 'relatives_epilepsy', 'Épilepsie', relatives_epilepsy, NULL FROM latest
  UNION ALL SELECT id, pid, date, 'relatives_mental_illness', 'Maladie mentale', relatives_mental_illness, NULL FROM latest
  UNION ALL SELECT id, pid, date, 'relatives_suicide', 'Suicide', relatives_suicide, NULL FROM latest
),
account AS (
  SELECT username, MIN(id) AS id FROM users WHERE username <> '' GROUP BY username
)
SELECT
  CAST(l.id AS CHAR) AS `key`,
  CAST(l.pid AS CHAR) AS patient,
  CAST(a.id AS CHAR) AS practitioner,
  t.code AS category,
  NULLIF(SUBSTRING_INDEX(SUBSTRING_INDEX(l.diagnosis, ';', 1), ':', -1), '') AS code,
  c.code AS system,
  l.title AS label,
  COALESCE(v.code, 'not_recorded') AS assertion,
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(l.begdate AS CHAR), 10)), '0000') AS onset,
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(l.enddate AS CHAR), 10)), '0000') AS resolved,
  NULLIF(REPLACE(CAST(l.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00') AS recorded,
  'lists' AS source_table,
  CAST(l.id AS CHAR) AS source_key
FROM lists l
JOIN map_issue_types t ON t.local = l.type AND t.code IN ('problem', 'surgery')
LEFT JOIN map_verifications v ON v.local = l.verification
LEFT JOIN map_code_systems c ON c.local = SUBSTRING_INDEX(l.diagnosis, ':', 1)
LEFT JOIN account a ON a.username = l.user
WHERE COALESCE(v.code, 'not_recorded') <> ''
UNION ALL
-- "None": the product shows it for a list that was opened and left empty, and "Nothing recorded" for one never opened.
SELECT
  CONCAT('none-', n.pid, '-', n.type),
  CAST(n.pid AS CHAR),
  NULL,
  t.code,
  NULL,
  NULL,
  CASE t.code WHEN 'surgery' THEN 'Interventions chirurgicales' ELSE 'Problèmes' END,
  'denied',
  NULL,
  NULL,
  NULLIF(REPLACE(CAST(n.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  'lists_touch',
  CONCAT(n.pid, '|', n.type)
FROM lists_touch n
JOIN map_issue_types t ON t.local = n.type AND n.type IN ('medical_problem', 'surgery')
WHERE NOT EXISTS (SELECT 1 FROM lists l WHERE l.pid = n.pid AND l.type = n.type)
UNION ALL
-- Family history: what was typed, under its heading. YES and NO are answers: affirmed and denied; any other text is kept verbatim.
SELECT
  CONCAT('history-', f.id, '-', f.field),
  CAST(f.pid AS CHAR),
  NULL,
  'family',
  NULLIF(SUBSTRING_INDEX(SUBSTRING_INDEX(f.codes, ';', 1), ':', -1), ''),
  c.code,
  CASE WHEN m.code IS NULL THEN CONCAT(f.heading, ' : ', f.said) ELSE f.heading END,
  COALESCE(m.code, 'affirmed'),
  NULL,
  NULL,
  NULLIF(REPLACE(CAST(f.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  'history_data',
  CAST(f.id AS CHAR)
FROM family f
LEFT JOIN map_family_answers m ON m.local = f.said AND f.field LIKE 'relatives%'
LEFT JOIN map_code_systems c ON c.local = SUBSTRING_INDEX(f.codes, ':', 1)
WHERE f.said <> ''
UNION ALL
SELECT
  CONCAT('history-', h.id, '-additional_history'),
  CAST(h.pid AS CHAR),
  NULL,
  'history',
  NULL,
  NULL,
  h.additional_history,
  'affirmed',
  NULL,
  NULL,
  NULLIF(REPLACE(CAST(h.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00'),
  'history_data',
  CAST(h.id AS CHAR)
FROM latest h
WHERE h.additional_history <> ''

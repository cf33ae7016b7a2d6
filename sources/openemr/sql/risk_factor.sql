-- Habits of the last save of the history (see problem.sql), the value verbatim. The screen writes `text|state+field|date|code`, as
-- `quit in spring|quittobacco|2020-01-02|3`; an import may leave plain text. A state, or a text that is exactly a title of the
-- product's list, decides the assertion (mappings/habit_states.csv); any other text is affirmed by whoever typed it.
WITH newest AS (
  SELECT id FROM (
    SELECT id, ROW_NUMBER() OVER (PARTITION BY pid ORDER BY date DESC, id DESC) AS place FROM history_data
  ) numbered
  WHERE place = 1
),
latest AS (
  SELECT h.* FROM newest n JOIN history_data h ON h.id = n.id
),
habit AS (
  SELECT id, pid, date, 'tobacco' AS field, 'tobacco' AS category, 'Tabac' AS label, tobacco AS said FROM latest
  UNION ALL SELECT id, pid, date, 'alcohol', 'alcohol', 'Alcool', alcohol FROM latest
  UNION ALL SELECT id, pid, date, 'coffee', 'other', 'Café', coffee FROM latest
  UNION ALL SELECT id, pid, date, 'recreational_drugs', 'other', 'Drogues', recreational_drugs FROM latest
  UNION ALL SELECT id, pid, date, 'exercise_patterns', 'activity', 'Activité physique', exercise_patterns FROM latest
  UNION ALL SELECT id, pid, date, 'sleep_patterns', 'other', 'Sommeil', sleep_patterns FROM latest
  UNION ALL SELECT id, pid, date, 'seatbelt_use', 'other', 'Ceinture de sécurité', seatbelt_use FROM latest
  UNION ALL SELECT id, pid, date, 'hazardous_activities', 'other', 'Activités à risque', hazardous_activities FROM latest
  UNION ALL SELECT id, pid, date, 'counseling', 'other', 'Accompagnement', counseling FROM latest
)
SELECT
  CONCAT(h.id, '-', h.field) AS `key`,
  CAST(h.pid AS CHAR) AS patient,
  h.category,
  h.label,
  h.said AS value,
  COALESCE(m.code, 'affirmed') AS assertion,
  NULLIF(REPLACE(CAST(h.date AS CHAR), ' ', 'T'), '0000-00-00T00:00:00') AS recorded,
  'history_data' AS source_table,
  CAST(h.id AS CHAR) AS source_key
FROM habit h
LEFT JOIN map_habit_states m ON m.local = CASE
  WHEN LOCATE('|', h.said) = 0 THEN h.said
  ELSE REPLACE(SUBSTRING_INDEX(SUBSTRING_INDEX(h.said, '|', 2), '|', -1), h.field, '')
END
WHERE REPLACE(h.said, '|', '') <> ''

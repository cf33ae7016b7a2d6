-- The calendar as it is: a recurring event is one row, its rule and its last day stay in native. An event without a patient is a slot of
-- the professional. An event of the whole day has no hour. The state keeps less than the product's list: the code stays in native.
SELECT
  CAST(e.pc_eid AS CHAR) AS `key`,
  NULLIF(NULLIF(e.pc_pid, ''), '0') AS patient,
  NULLIF(NULLIF(e.pc_aid, ''), '0') AS practitioner,
  CONCAT(
    NULLIF(CAST(e.pc_eventDate AS CHAR), '0000-00-00'),
    CASE WHEN e.pc_alldayevent = 1 OR e.pc_startTime IS NULL THEN '' ELSE CONCAT('T', CAST(e.pc_startTime AS CHAR)) END
  ) AS start,
  CASE
    WHEN e.pc_alldayevent = 0 AND e.pc_endTime IS NOT NULL
    THEN CONCAT(NULLIF(CAST(e.pc_eventDate AS CHAR), '0000-00-00'), 'T', CAST(e.pc_endTime AS CHAR))
  END AS `end`,
  s.code AS status,
  e.pc_title AS label,
  'openemr_postcalendar_events' AS source_table,
  CAST(e.pc_eid AS CHAR) AS source_key
FROM openemr_postcalendar_events e
LEFT JOIN map_appointment_states s ON s.local = e.pc_apptstatus

-- The product's journal of the office: records created, settings changed, exports downloaded. It traces no reading.
-- Local time of Europe/Paris from UTC; the rule is explained in encounter.sql.
SELECT
  CAST(v.id AS TEXT) AS key,
  CASE v.clazz
    WHEN 'Patient' THEN CAST(v.reference AS TEXT)
    WHEN 'Examination' THEN (SELECT CAST(e.patient_id AS TEXT) FROM libreosteoweb_examination e WHERE e.id = v.reference)
  END AS patient,
  COALESCE(u.username, CAST(v.user_id AS TEXT)) AS actor,
  COALESCE(
    strftime(
      '%Y-%m-%dT%H:%M:%S',
      substr(v.date, 1, 19),
      CASE
        WHEN substr(v.date, 1, 19) >= date(v.date, 'start of year', '+2 months', '+24 days', 'weekday 0') || ' 01:00:00'
          AND substr(v.date, 1, 19) < CASE
            WHEN substr(v.date, 1, 4) < '1996' THEN date(v.date, 'start of year', '+8 months', '+23 days', 'weekday 0')
            ELSE date(v.date, 'start of year', '+9 months', '+24 days', 'weekday 0')
          END || ' 01:00:00'
        THEN '+2 hours'
        ELSE '+1 hour'
      END
    ),
    v.date
  ) AS at,
  v.comment AS action,
  v.clazz || ' ' || v.reference AS object,
  'libreosteoweb_officeevent' AS source_table,
  CAST(v.id AS TEXT) AS source_key
FROM libreosteoweb_officeevent v
LEFT JOIN auth_user u ON u.id = v.user_id

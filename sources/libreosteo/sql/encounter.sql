-- Every consultation, exact duplicates included (the product's importer run twice makes them): nothing is merged here.
-- The kind of encounter is left empty: the product's type (ordinary, continued, return, urgent) is no mode of care.
-- Local time of Europe/Paris. The product stores UTC (Django, USE_TZ) without saying so: '2020-03-01 23:00:00' is midnight of
-- 2 March. Paris is at UTC+2 from the last Sunday of March, 01:00 UTC, to the last Sunday of October (of September until 1995),
-- 01:00 UTC, and at UTC+1 otherwise: exact since 1981. 'weekday 0' is the first Sunday from the 25th of March or October, or
-- the 24th of September, which is the last of the month. Fractions of a second are cut; what is no date passes as it is.
-- substr() everywhere: a column declared datetime is numeric to SQLite, and compares as such with a text like '1996'.
SELECT
  CAST(id AS TEXT) AS key,
  CAST(patient_id AS TEXT) AS patient,
  CAST(therapeut_id AS TEXT) AS practitioner,
  COALESCE(
    strftime(
      '%Y-%m-%dT%H:%M:%S',
      substr(date, 1, 19),
      CASE
        WHEN substr(date, 1, 19) >= date(date, 'start of year', '+2 months', '+24 days', 'weekday 0') || ' 01:00:00'
          AND substr(date, 1, 19) < CASE
            WHEN substr(date, 1, 4) < '1996' THEN date(date, 'start of year', '+8 months', '+23 days', 'weekday 0')
            ELSE date(date, 'start of year', '+9 months', '+24 days', 'weekday 0')
          END || ' 01:00:00'
        THEN '+2 hours'
        ELSE '+1 hour'
      END
    ),
    date
  ) AS start,
  NULLIF(reason, '') AS reason,
  'libreosteoweb_examination' AS source_table,
  CAST(id AS TEXT) AS source_key
FROM libreosteoweb_examination

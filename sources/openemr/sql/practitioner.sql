-- Every account (a row of users with a login) is kept, whatever its rights: a past colleague's visits point at it. The rows without
-- a login are the address book, in correspondent. The NPI is no French identifier and stays in native; password digests are
-- never read. The speciality alone does not tell a doctor from a nurse: it is read with the degree written after the name.
SELECT
  CAST(u.id AS CHAR) AS `key`,
  CAST(NULLIF(u.facility_id, 0) AS CHAR) AS practice,
  u.lname AS family,
  u.fname AS given,
  t.code AS suffix,
  NULLIF(s.code, '') AS specialty,
  u.phonew1 AS phone,
  u.active,
  'users' AS source_table,
  CAST(u.id AS CHAR) AS source_key
FROM users u
LEFT JOIN map_titles t ON t.local = u.title
LEFT JOIN map_specialties s ON s.local = CONCAT(u.valedictory, '|', u.specialty)
WHERE u.username <> ''

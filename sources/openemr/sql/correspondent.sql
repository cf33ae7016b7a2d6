-- The address book: rows of users without a login. An organisation has no name of a person: its own is taken for it.
SELECT
  CAST(u.id AS CHAR) AS `key`,
  NULL AS patient,
  COALESCE(NULLIF(u.lname, ''), u.organization, '') AS family,
  u.fname AS given,
  u.specialty,
  u.organization AS organisation,
  u.phonew1 AS phone,
  u.city,
  'users' AS source_table,
  CAST(u.id AS CHAR) AS source_key
FROM users u
WHERE COALESCE(u.username, '') = ''
UNION ALL
SELECT CONCAT('misc-', id), NULL, COALESCE(lname, ''), fname, NULL, NULL, phone, city, 'misc_address_book', CAST(id AS CHAR)
FROM misc_address_book
UNION ALL
-- A patient's referring provider, when outside the practice.
SELECT
  CONCAT(p.pid, '-referring-', u.id),
  CAST(p.pid AS CHAR),
  COALESCE(NULLIF(u.lname, ''), u.organization, ''),
  u.fname,
  u.specialty,
  u.organization,
  u.phonew1,
  u.city,
  'patient_data',
  CAST(p.pid AS CHAR)
FROM patient_data p
JOIN users u ON u.id = p.ref_providerID
WHERE COALESCE(u.username, '') = ''

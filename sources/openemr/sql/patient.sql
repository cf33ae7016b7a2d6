-- The key is pid, the number that every other table holds; it is also the only unique index of the table, so the key of the row.
-- No national identity: ins and the rest stay empty. Birth given names stay empty too: the middle name is often an initial, and
-- a list of given names cannot be made of it (the middle name is in native).
-- Here and in every query: a column declared NOT NULL DEFAULT '' has no other way to say "nothing", so its empty string is NULL;
-- a column that admits NULL is passed as it is, an empty string staying one. A zero date ('0000-00-00') is how MariaDB writes "no
-- date" and is NULL; a day or a month of zero is a date of reduced precision ('2019-00-00' is '2019').
SELECT
  CAST(p.pid AS CHAR) AS `key`,
  COALESCE(NULLIF(p.birth_lname, ''), p.lname) AS birth_family,
  COALESCE(NULLIF(p.birth_fname, ''), NULLIF(p.fname, '')) AS birth_first_given,
  NULLIF(p.lname, '') AS used_family,
  NULLIF(p.fname, '') AS used_given,
  -- What the list of the model does not hold is left empty here, and stays in native.
  s.code AS sex,
  NULLIF(TRIM(TRAILING '-00' FROM CAST(p.DOB AS CHAR)), '0000') AS birth_date,
  NULLIF(CONCAT_WS(', ', NULLIF(p.street, ''), NULLIF(p.street_line_2, '')), '') AS address,
  NULLIF(p.postal_code, '') AS postal_code,
  NULLIF(p.city, '') AS city,
  NULLIF(p.country_code, '') AS country,
  NULLIF(p.phone_home, '') AS phone,
  NULLIF(p.phone_cell, '') AS mobile,
  NULLIF(p.email, '') AS email,
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(p.deceased_date AS CHAR), 10)), '0000') AS death_date,
  -- "Provider" of the patient: what the product itself gives as the patient's general practitioner in its FHIR service.
  CAST(NULLIF(p.providerID, 0) AS CHAR) AS attending,
  NULLIF(TRIM(TRAILING '-00' FROM LEFT(CAST(p.regdate AS CHAR), 10)), '0000') AS created,
  -- A code of the list of occupations, or free text.
  COALESCE(o.title, p.occupation) AS occupation,
  'patient_data' AS source_table,
  CAST(p.pid AS CHAR) AS source_key
FROM patient_data p
LEFT JOIN map_sexes s ON s.local = p.sex
LEFT JOIN list_options o ON o.list_id = 'OccupationODH' AND o.option_id = p.occupation AND p.occupation <> ''

-- The product holds no national identity, no place of birth and no list of birth given names: ins and the rest stay empty.
-- It has one given name, used and, as far as it knows, given at birth: both columns carry it.
SELECT
  CAST(id AS TEXT) AS key,
  -- "Nom de naissance" is filled only when it differs from the name in use.
  COALESCE(NULLIF(original_name, ''), family_name) AS birth_family,
  NULLIF(first_name, '') AS birth_first_given,
  family_name AS used_family,
  NULLIF(first_name, '') AS used_given,
  -- As recorded. The product's file importer writes M for whatever is not F, so an M may be nobody's answer; a judgement on
  -- that belongs to the validators.
  NULLIF(sex, '') AS sex,
  birth_date,
  NULLIF(
    address_street || CASE WHEN address_street <> '' AND address_complement <> '' THEN ', ' ELSE '' END
    || address_complement,
    ''
  ) AS address,
  NULLIF(address_zipcode, '') AS postal_code,
  NULLIF(address_city, '') AS city,
  NULLIF(phone, '') AS phone,
  NULLIF(mobile_phone, '') AS mobile,
  NULLIF(email, '') AS email,
  creation_date AS created,
  NULLIF(important_info, '') AS important,
  NULLIF(job, '') AS occupation,
  'libreosteoweb_patient' AS source_table,
  CAST(id AS TEXT) AS source_key
FROM libreosteoweb_patient

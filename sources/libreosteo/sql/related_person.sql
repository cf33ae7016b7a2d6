-- The product lists a patient's children and no other relative. A child's family name may be empty; it is not guessed.
SELECT
  CAST(id AS TEXT) AS key,
  CAST(parent_id AS TEXT) AS patient,
  'child' AS role,
  family_name AS family,
  first_name AS given,
  birthday_date AS birth_date,
  'libreosteoweb_children' AS source_table,
  CAST(id AS TEXT) AS source_key
FROM libreosteoweb_children

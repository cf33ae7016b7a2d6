-- Every account is kept: a past colleague's consultations point at it. The password digest is never read.
SELECT
  CAST(u.id AS TEXT) AS key,
  -- The product links consultations, not accounts, to an office: told only when the practice holds a single one.
  (SELECT CAST(min(o.id) AS TEXT) FROM libreosteoweb_officesettings o HAVING count(*) = 1) AS practice,
  -- PS_IdNat: prefix 8 before an RPPS (11 digits), 0 before an ADELI (9 characters, Corsica has a letter). The label of the
  -- office settings is not asked: it keeps its default "Adeli" for people who typed an RPPS. Any other text stays in native.
  CASE
    WHEN replace(t.professional_id, ' ', '') GLOB '[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]'
    THEN '8' || replace(t.professional_id, ' ', '')
    WHEN replace(t.professional_id, ' ', '') GLOB '[0-9][0-9AB][0-9][0-9][0-9][0-9][0-9][0-9][0-9]'
    THEN '0' || replace(t.professional_id, ' ', '')
  END AS idnat,
  u.last_name AS family,
  NULLIF(u.first_name, '') AS given,
  q.code AS specialty,
  u.is_active AS active,
  'auth_user' AS source_table,
  CAST(u.id AS TEXT) AS source_key
FROM auth_user u
LEFT JOIN libreosteoweb_therapeutsettings t ON t.user_id = u.id
LEFT JOIN temp.map_quality q ON q.local = trim(t.quality)

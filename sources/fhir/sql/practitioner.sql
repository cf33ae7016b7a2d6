-- Every Practitioner: R4 does not say who exercises here and who only wrote. Roles give structure, specialty and telephone; the first of
-- several in the order of their ids counts, and all stay in native.
WITH role AS (
  SELECT
    referred(practitioner->>'$.reference') AS person,
    arg_min(referred(organization->>'$.reference'), id) AS practice,
    arg_min(s.code, id) AS specialty,
    arg_min((picked(telecom, '$.system', 'phone')->>'$.value'), id) AS phone,
    arg_min(active, id) AS active
  FROM PractitionerRole r
  LEFT JOIN map_specialties s ON s.local = (r.code->>'$[0].coding[0].code')
  GROUP BY ALL
)
SELECT
  p.id AS key,
  o.id AS practice,
  COALESCE(
    (picked(p.identifier, '$.system', 'urn:oid:1.2.250.1.71.4.2.1')->>'$.value'),
    -- PS_IdNat: prefix 8 before an RPPS.
    '8' || (picked(p.identifier, '$.system', 'https://rpps.esante.gouv.fr')->>'$.value')
  ) AS idnat,
  COALESCE((picked(p.name, '$.use', 'official')->>'$.family'), p.name->>'$[0].family') AS family,
  NULLIF(array_to_string(COALESCE((picked(p.name, '$.use', 'official')->>'$.given[*]'), p.name->>'$[0].given[*]'), ' '), '') AS given,
  c.code AS prefix,
  t.code AS suffix,
  r.specialty,
  COALESCE(r.phone, (picked(p.telecom, '$.system', 'phone')->>'$.value')) AS phone,
  CASE COALESCE(r.active, p.active) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END AS active,
  'Practitioner' AS source_table,
  p.id AS source_key
FROM Practitioner p
LEFT JOIN role r ON r.person = p.id
LEFT JOIN Organization o ON o.id = r.practice
LEFT JOIN map_civilities c ON c.local = (p.name->>'$[0].prefix[0]')
LEFT JOIN map_titles t ON t.local = (p.name->>'$[0].suffix[0]')

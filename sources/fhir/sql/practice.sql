-- An export names many structures (insurers, hospitals). The practice is the one that manages patients; else the only one in which
-- professionals exercise; else the only one there is. The others stay whole in native. The setting comes from the settings of the run.
WITH managing AS (
  SELECT DISTINCT referred(managingOrganization->>'$.reference') AS id FROM Patient
),
exercising AS (
  SELECT DISTINCT referred(organization->>'$.reference') AS id FROM PractitionerRole
),
own AS (
  SELECT o.id FROM Organization o JOIN managing m ON m.id = o.id
  UNION
  SELECT o.id FROM Organization o JOIN exercising e ON e.id = o.id
  WHERE NOT EXISTS (SELECT 1 FROM Organization x JOIN managing m ON m.id = x.id)
    AND (SELECT count(*) FROM Organization x JOIN exercising y ON y.id = x.id) = 1
  UNION
  SELECT id FROM Organization WHERE (SELECT count(*) FROM Organization) = 1
)
SELECT
  o.id AS key,
  o.name,
  (picked(o.identifier, '$.system', 'urn:oid:1.2.250.1.71.4.2.2')->>'$.value') AS struct_idnat,
  regexp_extract((picked(o.identifier, '$.system', 'urn:ietf:rfc:3986')->>'$.value'), '^urn:oid:([0-9.]+)$', 1) AS oid,
  f.code AS facility_type,
  NULLIF(array_to_string(o.address->>'$[0].line[*]', ', '), '') AS address,
  o.address->>'$[0].postalCode' AS postal_code,
  o.address->>'$[0].city' AS city,
  (picked(o.telecom, '$.system', 'phone')->>'$.value') AS phone,
  (picked(o.telecom, '$.system', 'email')->>'$.value') AS email,
  'Organization' AS source_table,
  o.id AS source_key
FROM Organization o
JOIN own ON own.id = o.id
LEFT JOIN map_facilities f ON f.local = (o.type->>'$[0].coding[0].code')

-- FR Core: the birth name is the name of use `official` (or `maiden`), all given names of birth are an extension of it, the name in use
-- is `usual`. A matricule of use `old` is a former one; of several current ones the NIR comes first. The status of the identity is the
-- one of RNIV (CodeSystem fr-core-cs-identity-status); what other software has checked is not checked again here.
WITH number AS (
  SELECT
    id,
    i->>'$.value' AS value,
    substr(i->>'$.system', 9) AS oid,
    COALESCE(i->>'$.use', '') = 'old' AS former,
    i->>'$.period.start' AS first,
    i->>'$.period.end' AS last,
    place
  FROM (SELECT id, unnest(identifier->'$[*]') AS i, generate_subscripts(identifier->'$[*]', 1) AS place FROM Patient)
  WHERE (i->>'$.system') IN (
    'urn:oid:1.2.250.1.213.1.4.8', 'urn:oid:1.2.250.1.213.1.4.9', 'urn:oid:1.2.250.1.213.1.4.10', 'urn:oid:1.2.250.1.213.1.4.11'
  )
),
national AS (
  SELECT
    id,
    arg_min(value, (oid, place)) FILTER (WHERE NOT former) AS ins,
    arg_min(oid, (oid, place)) FILTER (WHERE NOT former) AS ins_oid,
    string_agg(value || ',' || oid || ',' || COALESCE(first, '') || ',' || COALESCE(last, ''), chr(10) ORDER BY place)
      FILTER (WHERE former) AS former_ins
  FROM number
  GROUP BY id
),
reliability AS (
  SELECT id, (picked(e->'$.extension', '$.url', 'identityStatus')->'$.valueCoding') AS status,
    (picked(e->'$.extension', '$.url', 'dateCollection')->>'$.valueDate') AS collected
  FROM (SELECT id, unnest(extension->'$[*]') AS e FROM Patient)
  WHERE (e->>'$.url') LIKE '%/fr-core-identity-reliability'
),
identity AS (
  SELECT
    id,
    max(status->>'$.code') FILTER (WHERE (status->>'$.system') LIKE '%/fr-core-cs-identity-status') AS status,
    max(collected) AS collected,
    max(1) FILTER (WHERE (status->>'$.code') = 'HOMA') AS homonym,
    max(1) FILTER (WHERE (status->>'$.code') = 'DOUT') AS doubtful,
    max(1) FILTER (WHERE (status->>'$.code') = 'FICT') AS fictitious
  FROM reliability
  GROUP BY id
),
contact AS (
  SELECT
    id,
    arg_min(t->>'$.value', place) FILTER (WHERE (t->>'$.system') = 'phone' AND COALESCE(t->>'$.use', '') <> 'mobile') AS phone,
    arg_min(t->>'$.value', place) FILTER (WHERE (t->>'$.system') = 'phone' AND (t->>'$.use') = 'mobile') AS mobile,
    arg_min(t->>'$.value', place) FILTER (WHERE (t->>'$.system') = 'email') AS email
  FROM (SELECT id, unnest(telecom->'$[*]') AS t, generate_subscripts(telecom->'$[*]', 1) AS place FROM Patient)
  WHERE COALESCE(t->>'$.use', '') <> 'old'
  GROUP BY id
),
person AS (
  SELECT
    *,
    COALESCE(
      picked(name, '$.use', 'official'),
      picked(name, '$.use', 'maiden'),
      CASE WHEN COALESCE(name->>'$[0].use', '') <> 'usual' THEN (name->'$[0]') END
    ) AS birth,
    picked(name, '$.use', 'usual') AS used,
    (picked(extension, '$.url', 'http://hl7.org/fhir/StructureDefinition/patient-birthPlace')->'$.valueAddress') AS birthplace,
    COALESCE(picked(address, '$.use', 'home'), address->'$[0]') AS home
  FROM Patient
)
SELECT
  p.id AS key,
  n.ins,
  n.ins_oid,
  n.former_ins,
  CASE WHEN y.status IN ('QUAL', 'RECUP') THEN 1 END AS insi_confirmed,
  y.collected AS insi_date,
  CASE WHEN y.status IN ('QUAL', 'VALI') THEN 1 END AS document_checked,
  y.homonym,
  y.doubtful,
  y.fictitious,
  -- A name is required; somebody may be known by the name in use alone.
  COALESCE(p.birth->>'$.family', p.used->>'$.family', p.name->>'$[0].text') AS birth_family,
  COALESCE(
    (picked(p.birth->'$.extension', '$.url', 'https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-birth-list-given-name')
      ->>'$.valueString'),
    NULLIF(array_to_string(p.birth->>'$.given[*]', ' '), '')
  ) AS birth_given,
  p.birth->>'$.given[0]' AS birth_first_given,
  p.used->>'$.family' AS used_family,
  p.used->>'$.given[0]' AS used_given,
  s.code AS sex,
  p.birthDate AS birth_date,
  CASE (picked(p.extension, '$.url', 'https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-birthdate-update-indicator')
    ->>'$.valueBoolean') WHEN 'true' THEN 1 WHEN 'false' THEN 0 END AS birth_date_uncertain,
  (picked(p.birthplace->'$.extension', '$.url', 'https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code')
    ->>'$.valueCoding.code') AS birth_place_code,
  p.birthplace->>'$.city' AS birth_place,
  NULLIF(array_to_string(p.home->>'$.line[*]', ', '), '') AS address,
  p.home->>'$.postalCode' AS postal_code,
  p.home->>'$.city' AS city,
  p.home->>'$.country' AS country,
  c.phone,
  c.mobile,
  c.email,
  left(local_time(p.deceasedDateTime), 10) AS death_date,
  w.person AS attending,
  'Patient' AS source_table,
  p.id AS source_key
FROM person p
LEFT JOIN national n ON n.id = p.id
LEFT JOIN identity y ON y.id = p.id
LEFT JOIN contact c ON c.id = p.id
LEFT JOIN map_genders s ON s.local = p.gender
LEFT JOIN professional w ON w.reference = target(p.generalPractitioner->>'$[0].reference')

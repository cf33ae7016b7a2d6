-- RelatedPerson, then the contacts of a Patient. The first relationship that the mapping knows gives the role.
SELECT
  r.id AS key,
  referred(r.patient->>'$.reference') AS patient,
  COALESCE((SELECT min(m.code) FROM map_relations m WHERE list_contains(list_concat(r.relationship->>'$[*].coding[*].code', r.relationship->>'$[*].text'), m.local)), 'other') AS role,
  COALESCE(r.name->>'$[0].family', r.name->>'$[0].text') AS family,
  NULLIF(array_to_string(r.name->>'$[0].given[*]', ' '), '') AS given,
  r.birthDate AS birth_date,
  (picked(r.telecom, '$.system', 'phone')->>'$.value') AS phone,
  'RelatedPerson' AS source_table,
  r.id AS source_key
FROM RelatedPerson r
WHERE referred(r.patient->>'$.reference') IS NOT NULL AND COALESCE(r.name->>'$[0].family', r.name->>'$[0].text') IS NOT NULL
UNION ALL
SELECT
  'contact-' || p.id || '-' || p.place,
  p.id,
  COALESCE((SELECT min(m.code) FROM map_relations m WHERE list_contains(p.c->>'$.relationship[*].coding[*].code', m.local)), 'other'),
  COALESCE(p.c->>'$.name.family', p.c->>'$.name.text'),
  NULLIF(array_to_string(p.c->>'$.name.given[*]', ' '), ''),
  NULL,
  (picked(p.c->'$.telecom', '$.system', 'phone')->>'$.value'),
  'Patient',
  p.id
FROM (SELECT id, unnest(contact->'$[*]') AS c, generate_subscripts(contact->'$[*]', 1) AS place FROM Patient) p
WHERE COALESCE(p.c->>'$.name.family', p.c->>'$.name.text') IS NOT NULL

-- Whole names are in one field of the product, so they are in family. Whether a guardian represents the patient in law is not said.
SELECT
  CONCAT(pid, '-guardian') AS `key`,
  CAST(pid AS CHAR) AS patient,
  'guardian' AS role,
  guardiansname AS family,
  NULL AS given,
  NULL AS birth_date,
  guardianphone AS phone,
  'patient_data' AS source_table,
  CAST(pid AS CHAR) AS source_key
FROM patient_data
WHERE guardiansname <> ''
UNION ALL
SELECT CONCAT(pid, '-mother'), CAST(pid AS CHAR), 'parent', mothersname, NULL, NULL, NULL, 'patient_data', CAST(pid AS CHAR)
FROM patient_data
WHERE mothersname <> ''
UNION ALL
-- "Emergency Contact" and "Emergency Phone" of the screen: a name or a link with the patient, as typed; it may be empty.
SELECT
  CONCAT(pid, '-emergency'),
  CAST(pid AS CHAR),
  'emergency',
  contact_relationship,
  NULL,
  NULL,
  NULLIF(phone_contact, ''),
  'patient_data',
  CAST(pid AS CHAR)
FROM patient_data
WHERE contact_relationship <> '' OR phone_contact <> ''
UNION ALL
-- Contacts of version 8. Whether target_id is the id or the pid of the patient has changed between revisions: a row is taken only
-- when both name the same patient, else it stays whole in native. A contact that was deactivated stays there too.
SELECT
  CONCAT('contact-', r.id),
  CAST(p.pid AS CHAR),
  CASE WHEN r.is_emergency_contact = 1 THEN 'emergency' ELSE COALESCE(m.code, 'other') END,
  h.last_name,
  h.first_name,
  NULLIF(TRIM(TRAILING '-00' FROM CAST(h.birth_date AS CHAR)), '0000'),
  (
    SELECT t.value FROM contact_telecom t
    WHERE t.contact_id = c.id AND t.system = 'phone' AND COALESCE(t.status, 'A') = 'A'
    ORDER BY t.`rank`, t.id LIMIT 1
  ),
  'contact_relation',
  CAST(r.id AS CHAR)
FROM contact_relation r
JOIN contact c ON c.id = r.contact_id AND c.foreign_table_name = 'person'
JOIN person h ON h.id = c.foreign_id
JOIN patient_data p ON p.pid = r.target_id AND p.id = r.target_id
LEFT JOIN map_relations m ON m.local = r.relationship
WHERE r.target_table = 'patient_data' AND COALESCE(r.active, 1) = 1

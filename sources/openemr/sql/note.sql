-- One note for each text that is not empty: nothing is merged, nothing is read in the text. First the forms of the visits, then the
-- comments typed beside a coded record, under its heading. A form deleted from its visit, or an entry deactivated in it, stays whole
-- in native; so do an encrypted message and a message about no patient.
WITH filed AS (
  -- The list of the forms of the visits; a form is deleted when every line of it is.
  SELECT CAST(formdir AS CHAR(64)) AS formdir, form_id, MIN(encounter) AS encounter, MIN(pid) AS pid, MIN(deleted) AS deleted,
    MIN(date) AS date, MIN(user) AS user
  FROM forms
  GROUP BY CAST(formdir AS CHAR(64)), form_id
),
part AS (
  -- A date without hour must not meet a date with one in a UNION: it would be given midnight. So each is text.
  SELECT 'form_soap' AS origin, CAST(s.id AS CHAR) AS id, 'subjective' AS field, s.pid, f.encounter, s.user, CAST(s.date AS CHAR) AS date,
    'Subjectif' AS title, s.subjective AS text
  FROM form_soap s LEFT JOIN filed f ON f.formdir = 'soap' AND f.form_id = s.id
  WHERE s.activity = 1 AND COALESCE(f.deleted, 0) = 0
  UNION ALL
  SELECT 'form_soap', s.id, 'objective', s.pid, f.encounter, s.user, CAST(s.date AS CHAR), 'Objectif', s.objective
  FROM form_soap s LEFT JOIN filed f ON f.formdir = 'soap' AND f.form_id = s.id
  WHERE s.activity = 1 AND COALESCE(f.deleted, 0) = 0
  UNION ALL
  SELECT 'form_soap', s.id, 'assessment', s.pid, f.encounter, s.user, CAST(s.date AS CHAR), 'Évaluation', s.assessment
  FROM form_soap s LEFT JOIN filed f ON f.formdir = 'soap' AND f.form_id = s.id
  WHERE s.activity = 1 AND COALESCE(f.deleted, 0) = 0
  UNION ALL
  SELECT 'form_soap', s.id, 'plan', s.pid, f.encounter, s.user, CAST(s.date AS CHAR), 'Plan', s.plan
  FROM form_soap s LEFT JOIN filed f ON f.formdir = 'soap' AND f.form_id = s.id
  WHERE s.activity = 1 AND COALESCE(f.deleted, 0) = 0
  UNION ALL
  SELECT 'form_dictation', d.id, 'dictation', d.pid, f.encounter, d.user, CAST(d.date AS CHAR), 'Dictée', d.dictation
  FROM form_dictation d LEFT JOIN filed f ON f.formdir = 'dictation' AND f.form_id = d.id
  WHERE d.activity = 1 AND COALESCE(f.deleted, 0) = 0
  UNION ALL
  SELECT 'form_dictation', d.id, 'additional_notes', d.pid, f.encounter, d.user, CAST(d.date AS CHAR), 'Notes complémentaires', d.additional_notes
  FROM form_dictation d LEFT JOIN filed f ON f.formdir = 'dictation' AND f.form_id = d.id
  WHERE d.activity = 1 AND COALESCE(f.deleted, 0) = 0
  UNION ALL
  SELECT 'form_clinical_notes', n.id, 'description', n.pid, NULLIF(n.encounter, ''), n.user, CAST(n.date AS CHAR),
    COALESCE(o.title, n.clinical_notes_type, n.codetext), n.description
  FROM form_clinical_notes n
  LEFT JOIN filed f ON f.formdir = 'clinical_notes' AND f.form_id = n.form_id
  LEFT JOIN list_options o ON o.list_id = 'Clinical_Note_Type' AND o.option_id = n.clinical_notes_type
  WHERE n.activity = 1 AND COALESCE(f.deleted, 0) = 0
  UNION ALL
  SELECT 'form_clinical_instructions', i.id, 'instruction', i.pid, NULLIF(i.encounter, ''), i.user, CAST(i.date AS CHAR), 'Consignes au patient',
    i.instruction
  FROM form_clinical_instructions i
  LEFT JOIN filed f ON f.formdir = 'clinical_instructions' AND f.form_id = i.id
  WHERE i.activity = 1 AND COALESCE(f.deleted, 0) = 0
  UNION ALL
  -- Forms that the practice drew itself: each field under its heading.
  SELECT 'lbf_data', CONCAT(b.form_id, '|', b.field_id), 'value', f.pid, f.encounter, f.user, CAST(f.date AS CHAR),
    COALESCE(
      (SELECT MIN(NULLIF(o.title, '')) FROM layout_options o WHERE o.form_id = f.formdir AND o.field_id = b.field_id),
      b.field_id
    ),
    b.field_value
  FROM lbf_data b
  JOIN filed f ON f.formdir LIKE 'LBF%' AND f.form_id = b.form_id
  WHERE f.deleted = 0
  UNION ALL
  SELECT 'pnotes', p.id, 'body', p.pid, NULL, p.user, CAST(p.date AS CHAR), p.title, p.body
  FROM pnotes p
  WHERE COALESCE(p.deleted, 0) = 0 AND COALESCE(p.is_msg_encrypted, 0) = 0 AND p.pid > 0
  UNION ALL
  SELECT 'lists', l.id, 'comments', l.pid, NULL, l.user, CAST(l.date AS CHAR), l.title, l.comments
  FROM lists l
  JOIN map_issue_types t ON t.local = l.type AND t.code <> ''
  LEFT JOIN map_verifications v ON v.local = l.verification
  WHERE COALESCE(v.code, 'not_recorded') <> ''
  UNION ALL
  SELECT 'prescriptions', r.id, 'note', r.patient_id, NULLIF(r.encounter, 0), NULL,
    COALESCE(NULLIF(CAST(r.date_added AS CHAR), '0000-00-00 00:00:00'), CAST(r.start_date AS CHAR)), r.drug, r.note
  FROM prescriptions r
  UNION ALL
  SELECT 'procedure_order', o.procedure_order_id, 'patient_instructions', o.patient_id, NULLIF(o.encounter_id, 0), NULL,
    CAST(o.date_ordered AS CHAR), 'Consignes au patient', o.patient_instructions
  FROM procedure_order o
  WHERE o.activity = 1 AND COALESCE(o.history_order, '0') = '0'
  UNION ALL
  SELECT 'procedure_order', o.procedure_order_id, 'clinical_hx', o.patient_id, NULLIF(o.encounter_id, 0), NULL,
    CAST(o.date_ordered AS CHAR), 'Renseignements cliniques', o.clinical_hx
  FROM procedure_order o
  WHERE o.activity = 1 AND COALESCE(o.history_order, '0') = '0'
  UNION ALL
  SELECT 'procedure_report', r.procedure_report_id, 'report_notes', o.patient_id, NULLIF(o.encounter_id, 0), NULL,
    CAST(r.date_report AS CHAR), 'Notes du laboratoire', r.report_notes
  FROM procedure_report r
  JOIN procedure_order o ON o.procedure_order_id = r.procedure_order_id
  WHERE o.activity = 1
  UNION ALL
  SELECT 'procedure_result', x.procedure_result_id, 'comments', o.patient_id, NULLIF(o.encounter_id, 0), NULL,
    COALESCE(CAST(x.date AS CHAR), CAST(r.date_report AS CHAR)), x.result_text, x.comments
  FROM procedure_result x
  JOIN procedure_report r ON r.procedure_report_id = x.procedure_report_id
  JOIN procedure_order o ON o.procedure_order_id = r.procedure_order_id
  WHERE o.activity = 1 AND x.result_status NOT IN ('cancel', 'error')
  UNION ALL
  SELECT 'immunizations', i.id, 'note', i.patient_id, NULLIF(i.encounter_id, 0), NULL, CAST(i.create_date AS CHAR), CONCAT('CVX ', i.cvx_code), i.note
  FROM immunizations i
  WHERE i.added_erroneously = 0
  UNION ALL
  SELECT 'form_vitals', s.id, 'note', s.pid, f.encounter, s.user, CAST(s.date AS CHAR), 'Note sur les constantes', s.note
  FROM form_vitals s LEFT JOIN filed f ON f.formdir = 'vitals' AND f.form_id = s.id
  WHERE s.activity = 1 AND COALESCE(f.deleted, 0) = 0
  UNION ALL
  SELECT 'notes', n.id, 'note', d.foreign_id, NULLIF(d.encounter_id, 0), NULL, CAST(n.date AS CHAR), d.name, n.note
  FROM notes n JOIN documents d ON d.id = n.foreign_id
  WHERE d.deleted = 0
),
account AS (
  SELECT username, MIN(id) AS id FROM users WHERE username <> '' GROUP BY username
)
SELECT
  CONCAT(part.origin, '-', part.id, '-', part.field) AS `key`,
  CAST(part.pid AS CHAR) AS patient,
  CAST(a.id AS CHAR) AS practitioner,
  CAST(part.encounter AS CHAR) AS encounter,
  NULLIF(TRIM(TRAILING '-00' FROM REPLACE(REPLACE(part.date, '0000-00-00 00:00:00', '0000'), ' ', 'T')), '0000') AS recorded,
  part.title,
  part.text,
  part.origin AS source_table,
  part.id AS source_key
FROM part
LEFT JOIN account a ON a.username = part.user
WHERE part.text <> ''

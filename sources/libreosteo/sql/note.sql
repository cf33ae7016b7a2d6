-- One note for each text that is not empty, under its heading in the product: nothing is merged, nothing is read in the text.
-- A consultation's texts carry its date, the only one recorded.
-- Local time of Europe/Paris from UTC; the rule is explained in encounter.sql.
WITH moment AS (
  SELECT
    id,
    COALESCE(
      strftime(
        '%Y-%m-%dT%H:%M:%S',
        substr(date, 1, 19),
        CASE
          WHEN substr(date, 1, 19) >= date(date, 'start of year', '+2 months', '+24 days', 'weekday 0') || ' 01:00:00'
            AND substr(date, 1, 19) < CASE
              WHEN substr(date, 1, 4) < '1996' THEN date(date, 'start of year', '+8 months', '+23 days', 'weekday 0')
              ELSE date(date, 'start of year', '+9 months', '+24 days', 'weekday 0')
            END || ' 01:00:00'
          THEN '+2 hours'
          ELSE '+1 hour'
        END
      ),
      date
    ) AS at
  FROM libreosteoweb_examination
),
part AS (
  SELECT id, 'reason_description' AS field, 'Détail du motif de consultation / Contexte' AS title, reason_description AS text
  FROM libreosteoweb_examination
  WHERE reason_description <> ''
  UNION ALL
  SELECT id, 'orl', 'Sphère ORL', orl FROM libreosteoweb_examination WHERE orl <> ''
  UNION ALL
  SELECT id, 'visceral', 'Sphère viscérale', visceral FROM libreosteoweb_examination WHERE visceral <> ''
  UNION ALL
  SELECT id, 'pulmo', 'Sphère cardio-pulmonaire', pulmo FROM libreosteoweb_examination WHERE pulmo <> ''
  UNION ALL
  SELECT id, 'uro_gyneco', 'Sphère uro-gynéco', uro_gyneco FROM libreosteoweb_examination WHERE uro_gyneco <> ''
  UNION ALL
  SELECT id, 'periphery', 'Sphère périphérique', periphery FROM libreosteoweb_examination WHERE periphery <> ''
  UNION ALL
  SELECT id, 'general_state', 'État général', general_state FROM libreosteoweb_examination WHERE general_state <> ''
  UNION ALL
  SELECT id, 'medical_examination', 'Examen médical', medical_examination FROM libreosteoweb_examination WHERE medical_examination <> ''
  UNION ALL
  SELECT id, 'diagnosis', 'Diagnostic ostéopathique', diagnosis FROM libreosteoweb_examination WHERE diagnosis <> ''
  UNION ALL
  SELECT id, 'treatments', 'Traitements', treatments FROM libreosteoweb_examination WHERE treatments <> ''
  UNION ALL
  SELECT id, 'conclusion', 'Conclusion', conclusion FROM libreosteoweb_examination WHERE conclusion <> ''
)
SELECT
  part.id || '-' || part.field AS key,
  CAST(e.patient_id AS TEXT) AS patient,
  CAST(e.therapeut_id AS TEXT) AS practitioner,
  CAST(e.id AS TEXT) AS encounter,
  moment.at AS recorded,
  part.title,
  part.text,
  'libreosteoweb_examination' AS source_table,
  CAST(e.id AS TEXT) AS source_key
FROM part
JOIN libreosteoweb_examination e ON e.id = part.id
JOIN moment ON moment.id = part.id
UNION ALL
-- A comment added to a consultation afterwards.
SELECT
  'comment-' || c.id,
  CAST(e.patient_id AS TEXT),
  CAST(c.user_id AS TEXT),
  CAST(c.examination_id AS TEXT),
  COALESCE(
    strftime(
      '%Y-%m-%dT%H:%M:%S',
      substr(c.date, 1, 19),
      CASE
        WHEN substr(c.date, 1, 19) >= date(c.date, 'start of year', '+2 months', '+24 days', 'weekday 0') || ' 01:00:00'
          AND substr(c.date, 1, 19) < CASE
            WHEN substr(c.date, 1, 4) < '1996' THEN date(c.date, 'start of year', '+8 months', '+23 days', 'weekday 0')
            ELSE date(c.date, 'start of year', '+9 months', '+24 days', 'weekday 0')
          END || ' 01:00:00'
        THEN '+2 hours'
        ELSE '+1 hour'
      END
    ),
    c.date
  ),
  'Commentaire',
  c.comment,
  'libreosteoweb_examinationcomment',
  CAST(c.id AS TEXT)
FROM libreosteoweb_examinationcomment c
LEFT JOIN libreosteoweb_examination e ON e.id = c.examination_id
UNION ALL
-- Summary of outside reports, typed in the patient's record: no date, no author, no consultation.
SELECT
  'patient-' || id || '-medical_reports',
  CAST(id AS TEXT),
  NULL,
  NULL,
  NULL,
  'Compte-rendus médicaux',
  medical_reports,
  'libreosteoweb_patient',
  CAST(id AS TEXT)
FROM libreosteoweb_patient
WHERE medical_reports <> ''
UNION ALL
-- What the practitioner wrote about a filed document.
SELECT
  'document-' || d.id || '-notes',
  CAST(l.patient_id AS TEXT),
  CAST(d.user_id AS TEXT),
  NULL,
  COALESCE(
    strftime(
      '%Y-%m-%dT%H:%M:%S',
      substr(d.internal_date, 1, 19),
      CASE
        WHEN substr(d.internal_date, 1, 19) >= date(d.internal_date, 'start of year', '+2 months', '+24 days', 'weekday 0') || ' 01:00:00'
          AND substr(d.internal_date, 1, 19) < CASE
            WHEN substr(d.internal_date, 1, 4) < '1996' THEN date(d.internal_date, 'start of year', '+8 months', '+23 days', 'weekday 0')
            ELSE date(d.internal_date, 'start of year', '+9 months', '+24 days', 'weekday 0')
          END || ' 01:00:00'
        THEN '+2 hours'
        ELSE '+1 hour'
      END
    ),
    d.internal_date
  ),
  'Notes sur le document',
  d.notes,
  'libreosteoweb_document',
  CAST(d.id AS TEXT)
FROM libreosteoweb_document d
LEFT JOIN libreosteoweb_patientdocument l ON l.document_id = d.id
WHERE d.notes <> ''

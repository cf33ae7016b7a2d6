-- The two facts that make an RNIV status are the answer of INSi and the document shown; the label PAT_STATUT_ID is kept by
-- hand and says VALI for "the INS is fine", so it goes to the native part and decides nothing.
SELECT
    CAST(p.PAT_ID AS TEXT) AS key,
    p.PAT_INS AS ins,
    p.PAT_INS_OID AS ins_oid,
    p.PAT_INS_ANC AS former_ins,
    COALESCE(p.PAT_INS_CR = '00', 0) AS insi_confirmed,
    CASE
        WHEN date(substr(p.PAT_INS_APPEL, 1, 4) || '-' || substr(p.PAT_INS_APPEL, 5, 2) || '-' || substr(p.PAT_INS_APPEL, 7, 2), '+0 days')
            = substr(p.PAT_INS_APPEL, 1, 4) || '-' || substr(p.PAT_INS_APPEL, 5, 2) || '-' || substr(p.PAT_INS_APPEL, 7, 2)
            THEN substr(p.PAT_INS_APPEL, 1, 4) || '-' || substr(p.PAT_INS_APPEL, 5, 2) || '-' || substr(p.PAT_INS_APPEL, 7, 2)
        ELSE CAST(p.PAT_INS_APPEL AS TEXT)
    END AS insi_date,
    p.PAT_PIECE IS NOT NULL AS document_checked,
    p.PAT_HOMONYME AS homonym,
    p.PAT_DOUTEUX AS doubtful,
    p.PAT_FICTIF AS fictitious,
    p.PAT_NOM_NAIS AS birth_family,
    p.PAT_PRENS_NAIS AS birth_given,
    p.PAT_PREN1 AS birth_first_given,
    p.PAT_NOM_USU AS used_family,
    p.PAT_PREN_USU AS used_given,
    s.code AS sex,
    CASE
        WHEN date(substr(p.PAT_DTN, 7, 4) || '-' || substr(p.PAT_DTN, 4, 2) || '-' || substr(p.PAT_DTN, 1, 2), '+0 days')
            = substr(p.PAT_DTN, 7, 4) || '-' || substr(p.PAT_DTN, 4, 2) || '-' || substr(p.PAT_DTN, 1, 2)
            THEN substr(p.PAT_DTN, 7, 4) || '-' || substr(p.PAT_DTN, 4, 2) || '-' || substr(p.PAT_DTN, 1, 2)
        ELSE p.PAT_DTN
    END AS birth_date,
    p.PAT_DTN_INCERT AS birth_date_uncertain,
    p.PAT_LIEU_COG AS birth_place_code,
    p.PAT_LIEU_LIB AS birth_place,
    p.PAT_ADR AS address,
    p.PAT_CP AS postal_code,
    p.PAT_VILLE AS city,
    p.PAT_PAYS AS country,
    p.PAT_TEL AS phone,
    p.PAT_PORT AS mobile,
    p.PAT_MEL AS email,
    CASE
        WHEN date(substr(p.PAT_DECES, 7, 4) || '-' || substr(p.PAT_DECES, 4, 2) || '-' || substr(p.PAT_DECES, 1, 2), '+0 days')
            = substr(p.PAT_DECES, 7, 4) || '-' || substr(p.PAT_DECES, 4, 2) || '-' || substr(p.PAT_DECES, 1, 2)
            THEN substr(p.PAT_DECES, 7, 4) || '-' || substr(p.PAT_DECES, 4, 2) || '-' || substr(p.PAT_DECES, 1, 2)
        ELSE p.PAT_DECES
    END AS death_date,
    CAST(p.PAT_MT AS TEXT) AS attending,
    COALESCE(d.code, 'unknown') AS dmp,
    CASE
        WHEN date(substr(p.PAT_DMP_DT, 1, 4) || '-' || substr(p.PAT_DMP_DT, 5, 2) || '-' || substr(p.PAT_DMP_DT, 7, 2), '+0 days')
            = substr(p.PAT_DMP_DT, 1, 4) || '-' || substr(p.PAT_DMP_DT, 5, 2) || '-' || substr(p.PAT_DMP_DT, 7, 2)
            THEN substr(p.PAT_DMP_DT, 1, 4) || '-' || substr(p.PAT_DMP_DT, 5, 2) || '-' || substr(p.PAT_DMP_DT, 7, 2)
        ELSE CAST(p.PAT_DMP_DT AS TEXT)
    END AS dmp_checked,
    p.PAT_CREE AS created,
    p.PAT_ALERTE AS important,
    p.PAT_PROF AS occupation,
    p.PAT_SECRET AS sensitive_connection,
    'T_PATIENT' AS source_table,
    CAST(p.PAT_ID AS TEXT) AS source_key
FROM T_PATIENT AS p
LEFT JOIN map_sexes AS s ON s.local = CAST(p.PAT_SEXE AS TEXT)
LEFT JOIN map_dmp_states AS d ON d.local = p.PAT_DMP

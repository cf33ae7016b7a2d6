-- The date of the act, not of the filing: letters are often scanned weeks later. Deleted documents stay in the native part.
SELECT
    CAST(d.DOC_ID AS TEXT) AS key,
    CAST(d.DOC_PAT AS TEXT) AS patient,
    CAST(d.DOC_ITV AS TEXT) AS practitioner,
    CAST(d.DOC_ACT AS TEXT) AS encounter,
    d.DOC_TYPE AS local_type,
    NULLIF(t.code, '') AS type_code,
    d.DOC_TITRE AS title,
    o.code AS origin,
    d.DOC_AUT_EXT AS external_author,
    CASE
        WHEN date(d.DOC_DT, '+0 days') = d.DOC_DT THEN d.DOC_DT || COALESCE('T' || d.DOC_HR || ':00', '')
        ELSE d.DOC_DT || COALESCE(' ' || d.DOC_HR, '')
    END AS act,
    d.DOC_DT_FIN AS act_end,
    CASE WHEN date(d.DOC_CREE, '+0 days') = substr(d.DOC_CREE, 1, 10) THEN replace(d.DOC_CREE, ' ', 'T') ELSE d.DOC_CREE END AS created,
    CASE d.DOC_HOSPI WHEN 'O' THEN 1 WHEN 'N' THEN 0 END AS hospital_stay,
    CASE d.DOC_EP WHEN 'O' THEN 1 WHEN 'N' THEN 0 END AS prior_agreement,
    CASE d.DOC_GENET WHEN 'O' THEN 1 WHEN 'N' THEN 0 END AS constitutional_genetics,
    d.DOC_MASQ_PS AS masked_ps,
    d.DOC_INV_PAT AS invisible_patient,
    d.DOC_INV_REP AS invisible_representatives,
    d.DOC_NT_MOTIF AS withheld,
    CAST(d.DOC_NT_ITV AS TEXT) AS withheld_by,
    replace(d.DOC_NT_DT, ' ', 'T') AS withheld_at,
    CAST(d.DOC_CONF_ITV AS TEXT) AS visibility_by,
    replace(d.DOC_CONF_DT, ' ', 'T') AS visibility_at,
    d.DOC_CONF_MOTIF AS visibility_reason,
    COALESCE(f.code, 'unknown') AS fed_state,
    d.DOC_DMP_UID AS fed_unique_id,
    d.DOC_DMP_UUID AS fed_entry_uuid,
    CASE WHEN date(d.DOC_DMP_DT, '+0 days') = substr(d.DOC_DMP_DT, 1, 10) THEN replace(d.DOC_DMP_DT, ' ', 'T') ELSE d.DOC_DMP_DT END AS fed_at,
    'T_DOC' AS source_table,
    CAST(d.DOC_ID AS TEXT) AS source_key
FROM T_DOC AS d
LEFT JOIN map_document_types AS t ON t.local = d.DOC_TYPE
LEFT JOIN map_origins AS o ON o.local = d.DOC_ORIG
LEFT JOIN map_feeding AS f ON f.local = d.DOC_DMP
WHERE d.DOC_SUPPR IS NOT 'O'

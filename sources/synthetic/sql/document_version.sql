-- Versions of a deleted document go to the native part with it.
SELECT
    CAST(c.CNT_ID AS TEXT) AS key,
    CAST(d.DOC_PAT AS TEXT) AS patient,
    CAST(c.CNT_DOC AS TEXT) AS document,
    c.CNT_VERS AS version,
    CASE WHEN date(c.CNT_DT, '+0 days') = substr(c.CNT_DT, 1, 10) THEN replace(c.CNT_DT, ' ', 'T') ELSE c.CNT_DT END AS created,
    c.CNT_MIME AS media_type,
    c.CNT_NOM AS file_name,
    c.CNT_TAILLE AS declared_size,
    c.CNT_BLOB AS body,
    'T_DOC_CONTENU' AS source_table,
    CAST(c.CNT_ID AS TEXT) AS source_key
FROM T_DOC_CONTENU AS c
LEFT JOIN T_DOC AS d ON d.DOC_ID = c.CNT_DOC
WHERE d.DOC_SUPPR IS NOT 'O'

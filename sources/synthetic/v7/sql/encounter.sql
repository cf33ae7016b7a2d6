-- Dates of Mirabelle 7 are JJ/MM/AAAA texts.
SELECT
    CAST(a.ACT_ID AS TEXT) AS key,
    CAST(a.ACT_PAT AS TEXT) AS patient,
    CAST(a.ACT_ITV AS TEXT) AS practitioner,
    CASE
        WHEN date(substr(a.ACT_DT, 7, 4) || '-' || substr(a.ACT_DT, 4, 2) || '-' || substr(a.ACT_DT, 1, 2), '+0 days') = substr(a.ACT_DT, 7, 4) || '-' || substr(a.ACT_DT, 4, 2) || '-' || substr(a.ACT_DT, 1, 2) THEN substr(a.ACT_DT, 7, 4) || '-' || substr(a.ACT_DT, 4, 2) || '-' || substr(a.ACT_DT, 1, 2) || COALESCE('T' || a.ACT_HR_DEB || ':00', '')
        ELSE a.ACT_DT || COALESCE(' ' || a.ACT_HR_DEB, '')
    END AS start,
    CASE
        WHEN date(substr(a.ACT_DT, 7, 4) || '-' || substr(a.ACT_DT, 4, 2) || '-' || substr(a.ACT_DT, 1, 2), '+0 days') = substr(a.ACT_DT, 7, 4) || '-' || substr(a.ACT_DT, 4, 2) || '-' || substr(a.ACT_DT, 1, 2) THEN substr(a.ACT_DT, 7, 4) || '-' || substr(a.ACT_DT, 4, 2) || '-' || substr(a.ACT_DT, 1, 2) || 'T' || a.ACT_HR_FIN || ':00'
        ELSE a.ACT_DT || ' ' || a.ACT_HR_FIN
    END AS "end",
    m.code AS mode,
    a.ACT_MOTIF AS reason,
    'T_ACTE' AS source_table,
    CAST(a.ACT_ID AS TEXT) AS source_key
FROM T_ACTE AS a
LEFT JOIN map_places AS m ON m.local = a.ACT_LIEU

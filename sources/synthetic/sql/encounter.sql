SELECT
    CAST(a.ACT_ID AS TEXT) AS key,
    CAST(a.ACT_PAT AS TEXT) AS patient,
    CAST(a.ACT_ITV AS TEXT) AS practitioner,
    CASE
        WHEN date(a.ACT_DT, '+0 days') = a.ACT_DT THEN a.ACT_DT || COALESCE('T' || a.ACT_HR_DEB || ':00', '')
        ELSE a.ACT_DT || COALESCE(' ' || a.ACT_HR_DEB, '')
    END AS start,
    CASE
        WHEN date(a.ACT_DT, '+0 days') = a.ACT_DT THEN a.ACT_DT || 'T' || a.ACT_HR_FIN || ':00'
        ELSE a.ACT_DT || ' ' || a.ACT_HR_FIN
    END AS "end",
    m.code AS mode,
    a.ACT_MOTIF AS reason,
    'T_ACTE' AS source_table,
    CAST(a.ACT_ID AS TEXT) AS source_key
FROM T_ACTE AS a
LEFT JOIN map_places AS m ON m.local = a.ACT_LIEU

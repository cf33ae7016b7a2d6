SELECT
    CAST(r.RDV_ID AS TEXT) AS key,
    CAST(r.RDV_PAT AS TEXT) AS patient,
    CAST(r.RDV_ITV AS TEXT) AS practitioner,
    CASE WHEN date(r.RDV_DEB, '+0 days') = substr(r.RDV_DEB, 1, 10) THEN replace(r.RDV_DEB, ' ', 'T') || ':00' ELSE r.RDV_DEB END AS start,
    CASE WHEN date(r.RDV_FIN, '+0 days') = substr(r.RDV_FIN, 1, 10) THEN replace(r.RDV_FIN, ' ', 'T') || ':00' ELSE r.RDV_FIN END AS "end",
    e.code AS status,
    r.RDV_LIB AS label,
    'T_RDV' AS source_table,
    CAST(r.RDV_ID AS TEXT) AS source_key
FROM T_RDV AS r
LEFT JOIN map_appointments AS e ON e.local = r.RDV_ETAT
WHERE r.RDV_SUPPR IS NOT 1

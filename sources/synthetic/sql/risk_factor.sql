SELECT
    CAST(f.FDR_ID AS TEXT) AS key,
    CAST(f.FDR_PAT AS TEXT) AS patient,
    COALESCE(c.code, 'other') AS category,
    f.FDR_LIB AS label,
    f.FDR_VAL AS value,
    COALESCE(e.code, 'not_recorded') AS assertion,
    CASE WHEN date(f.FDR_SAISIE, '+0 days') = substr(f.FDR_SAISIE, 1, 10) THEN replace(f.FDR_SAISIE, ' ', 'T') ELSE f.FDR_SAISIE END AS recorded,
    'T_FDR' AS source_table,
    CAST(f.FDR_ID AS TEXT) AS source_key
FROM T_FDR AS f
LEFT JOIN map_risk_factors AS c ON c.local = f.FDR_NAT
LEFT JOIN map_assertions AS e ON e.local = f.FDR_ETAT

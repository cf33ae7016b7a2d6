-- Mirabelle 7 has no severity.
SELECT
    CAST(a.ALG_ID AS TEXT) AS key,
    CAST(a.ALG_PAT AS TEXT) AS patient,
    CAST(a.ALG_ITV AS TEXT) AS practitioner,
    a.ALG_COD AS code,
    NULLIF(s.code, '') AS system,
    a.ALG_LIB AS label,
    a.ALG_REACT AS reaction,
    'unknown' AS severity,
    COALESCE(e.code, 'not_recorded') AS assertion,
    CASE
        WHEN a.ALG_DEB LIKE '__/__/____' AND date(substr(a.ALG_DEB, 7, 4) || '-' || substr(a.ALG_DEB, 4, 2) || '-' || substr(a.ALG_DEB, 1, 2), '+0 days')
            = substr(a.ALG_DEB, 7, 4) || '-' || substr(a.ALG_DEB, 4, 2) || '-' || substr(a.ALG_DEB, 1, 2)
            THEN substr(a.ALG_DEB, 7, 4) || '-' || substr(a.ALG_DEB, 4, 2) || '-' || substr(a.ALG_DEB, 1, 2)
        WHEN a.ALG_DEB LIKE '__/____' AND substr(a.ALG_DEB, 1, 2) BETWEEN '01' AND '12'
            THEN substr(a.ALG_DEB, 4, 4) || '-' || substr(a.ALG_DEB, 1, 2)
        ELSE a.ALG_DEB
    END AS onset,
    CASE WHEN date(a.ALG_SAISIE, '+0 days') = substr(a.ALG_SAISIE, 1, 10) THEN replace(a.ALG_SAISIE, ' ', 'T') ELSE a.ALG_SAISIE END AS recorded,
    'T_ALLERG' AS source_table,
    CAST(a.ALG_ID AS TEXT) AS source_key
FROM T_ALLERG AS a
LEFT JOIN map_code_systems AS s ON s.local = a.ALG_NOM
LEFT JOIN map_assertions AS e ON e.local = a.ALG_ETAT

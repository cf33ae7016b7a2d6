SELECT
    CAST(a.ATD_ID AS TEXT) AS key,
    CAST(a.ATD_PAT AS TEXT) AS patient,
    CAST(a.ATD_ITV AS TEXT) AS practitioner,
    h.code AS category,
    a.ATD_COD AS code,
    NULLIF(s.code, '') AS system,
    a.ATD_LIB AS label,
    COALESCE(e.code, 'not_recorded') AS assertion,
    CASE
        WHEN a.ATD_DEB LIKE '__/__/____' AND date(substr(a.ATD_DEB, 7, 4) || '-' || substr(a.ATD_DEB, 4, 2) || '-' || substr(a.ATD_DEB, 1, 2), '+0 days')
            = substr(a.ATD_DEB, 7, 4) || '-' || substr(a.ATD_DEB, 4, 2) || '-' || substr(a.ATD_DEB, 1, 2)
            THEN substr(a.ATD_DEB, 7, 4) || '-' || substr(a.ATD_DEB, 4, 2) || '-' || substr(a.ATD_DEB, 1, 2)
        WHEN a.ATD_DEB LIKE '__/____' AND substr(a.ATD_DEB, 1, 2) BETWEEN '01' AND '12'
            THEN substr(a.ATD_DEB, 4, 4) || '-' || substr(a.ATD_DEB, 1, 2)
        ELSE a.ATD_DEB
    END AS onset,
    CASE
        WHEN a.ATD_FIN LIKE '__/__/____' AND date(substr(a.ATD_FIN, 7, 4) || '-' || substr(a.ATD_FIN, 4, 2) || '-' || substr(a.ATD_FIN, 1, 2), '+0 days')
            = substr(a.ATD_FIN, 7, 4) || '-' || substr(a.ATD_FIN, 4, 2) || '-' || substr(a.ATD_FIN, 1, 2)
            THEN substr(a.ATD_FIN, 7, 4) || '-' || substr(a.ATD_FIN, 4, 2) || '-' || substr(a.ATD_FIN, 1, 2)
        WHEN a.ATD_FIN LIKE '__/____' AND substr(a.ATD_FIN, 1, 2) BETWEEN '01' AND '12'
            THEN substr(a.ATD_FIN, 4, 4) || '-' || substr(a.ATD_FIN, 1, 2)
        ELSE a.ATD_FIN
    END AS resolved,
    CASE WHEN date(a.ATD_SAISIE, '+0 days') = substr(a.ATD_SAISIE, 1, 10) THEN replace(a.ATD_SAISIE, ' ', 'T') ELSE a.ATD_SAISIE END AS recorded,
    'T_ATCD' AS source_table,
    CAST(a.ATD_ID AS TEXT) AS source_key
FROM T_ATCD AS a
LEFT JOIN map_headings AS h ON h.local = a.ATD_RUB
LEFT JOIN map_code_systems AS s ON s.local = a.ATD_NOM
LEFT JOIN map_assertions AS e ON e.local = a.ATD_ETAT

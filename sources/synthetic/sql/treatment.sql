SELECT
    CAST(t.TTT_ID AS TEXT) AS key,
    CAST(t.TTT_PAT AS TEXT) AS patient,
    CAST(t.TTT_ITV AS TEXT) AS practitioner,
    t.TTT_COD AS code,
    NULLIF(s.code, '') AS system,
    t.TTT_LIB AS label,
    t.TTT_POSO AS dosage,
    CASE
        WHEN date(substr(t.TTT_DEB, 1, 4) || '-' || substr(t.TTT_DEB, 5, 2) || '-' || substr(t.TTT_DEB, 7, 2), '+0 days')
            = substr(t.TTT_DEB, 1, 4) || '-' || substr(t.TTT_DEB, 5, 2) || '-' || substr(t.TTT_DEB, 7, 2)
            THEN substr(t.TTT_DEB, 1, 4) || '-' || substr(t.TTT_DEB, 5, 2) || '-' || substr(t.TTT_DEB, 7, 2)
        ELSE CAST(t.TTT_DEB AS TEXT)
    END AS start,
    CASE
        WHEN date(substr(t.TTT_FIN, 1, 4) || '-' || substr(t.TTT_FIN, 5, 2) || '-' || substr(t.TTT_FIN, 7, 2), '+0 days')
            = substr(t.TTT_FIN, 1, 4) || '-' || substr(t.TTT_FIN, 5, 2) || '-' || substr(t.TTT_FIN, 7, 2)
            THEN substr(t.TTT_FIN, 1, 4) || '-' || substr(t.TTT_FIN, 5, 2) || '-' || substr(t.TTT_FIN, 7, 2)
        ELSE CAST(t.TTT_FIN AS TEXT)
    END AS stop,
    t.TTT_FOND AS long_term,
    COALESCE(e.code, 'not_recorded') AS assertion,
    'T_TTT' AS source_table,
    CAST(t.TTT_ID AS TEXT) AS source_key
FROM T_TTT AS t
LEFT JOIN map_code_systems AS s ON s.local = t.TTT_NOM
LEFT JOIN map_assertions AS e ON e.local = t.TTT_ETAT

SELECT
    CAST(v.VAC_ID AS TEXT) AS key,
    CAST(v.VAC_PAT AS TEXT) AS patient,
    CAST(v.VAC_ITV AS TEXT) AS practitioner,
    v.VAC_COD AS code,
    NULLIF(s.code, '') AS system,
    v.VAC_LIB AS label,
    v.VAC_LOT AS lot,
    CASE
        WHEN date(substr(v.VAC_DT, 7, 4) || '-' || substr(v.VAC_DT, 4, 2) || '-' || substr(v.VAC_DT, 1, 2), '+0 days')
            = substr(v.VAC_DT, 7, 4) || '-' || substr(v.VAC_DT, 4, 2) || '-' || substr(v.VAC_DT, 1, 2)
            THEN substr(v.VAC_DT, 7, 4) || '-' || substr(v.VAC_DT, 4, 2) || '-' || substr(v.VAC_DT, 1, 2)
        ELSE v.VAC_DT
    END AS given,
    v.VAC_RANG AS dose,
    v.VAC_RAPPEL AS booster,
    v.VAC_VOIE AS route,
    NULLIF(r.code, '') AS route_code,
    v.VAC_SITE AS site,
    NULLIF(b.code, '') AS site_code,
    v.VAC_PAR AS performer,
    v.VAC_REACTION AS reaction,
    v.VAC_NOTE AS comment,
    COALESCE(e.code, 'not_recorded') AS assertion,
    'T_VACCIN' AS source_table,
    CAST(v.VAC_ID AS TEXT) AS source_key
FROM T_VACCIN AS v
LEFT JOIN map_code_systems AS s ON s.local = v.VAC_NOM
LEFT JOIN map_assertions AS e ON e.local = v.VAC_ETAT
LEFT JOIN map_routes AS r ON r.local = v.VAC_VOIE
LEFT JOIN map_sites AS b ON b.local = v.VAC_SITE

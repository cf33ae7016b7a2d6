SELECT
    CAST(l.OLI_ID AS TEXT) AS key,
    CAST(l.OLI_PAT AS TEXT) AS patient,
    CAST(l.OLI_ORD AS TEXT) AS prescription,
    l.OLI_COD AS code,
    NULLIF(s.code, '') AS system,
    l.OLI_LIB AS label,
    l.OLI_POSO AS dosage,
    l.OLI_DUREE AS duration,
    l.OLI_RENOUV AS renewals,
    l.OLI_ALD AS long_term,
    'T_ORDO_LIG' AS source_table,
    CAST(l.OLI_ID AS TEXT) AS source_key
FROM T_ORDO_LIG AS l
LEFT JOIN map_code_systems AS s ON s.local = l.OLI_NOM

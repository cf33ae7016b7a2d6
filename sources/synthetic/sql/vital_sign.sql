SELECT
    CAST(c.CST_ID AS TEXT) AS key,
    CAST(c.CST_PAT AS TEXT) AS patient,
    CAST(c.CST_ACT AS TEXT) AS encounter,
    COALESCE(v.code, c.CST_COD) AS code,
    c.CST_LIB AS label,
    replace(c.CST_VAL, ',', '.') AS value,
    COALESCE(u.code, c.CST_UNIT) AS unit,
    CASE WHEN date(c.CST_DT, '+0 days') = substr(c.CST_DT, 1, 10) THEN replace(c.CST_DT, ' ', 'T') ELSE c.CST_DT END AS measured,
    'T_CONST' AS source_table,
    CAST(c.CST_ID AS TEXT) AS source_key
FROM T_CONST AS c
LEFT JOIN map_vital_signs AS v ON v.local = c.CST_COD
LEFT JOIN map_units AS u ON u.local = c.CST_UNIT

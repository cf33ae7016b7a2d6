SELECT
    CAST(o.ORD_ID AS TEXT) AS key,
    CAST(o.ORD_PAT AS TEXT) AS patient,
    CAST(o.ORD_ITV AS TEXT) AS practitioner,
    CAST(o.ORD_ACT AS TEXT) AS encounter,
    CAST(o.ORD_DOC AS TEXT) AS document,
    COALESCE(c.code, 'other') AS category,
    CASE WHEN date(o.ORD_DT, '+0 days') = substr(o.ORD_DT, 1, 10) THEN replace(o.ORD_DT, ' ', 'T') ELSE o.ORD_DT END AS prescribed,
    'T_ORDO' AS source_table,
    CAST(o.ORD_ID AS TEXT) AS source_key
FROM T_ORDO AS o
LEFT JOIN map_prescriptions AS c ON c.local = o.ORD_NAT

SELECT
    CAST(o.ORD_ID AS TEXT) AS key,
    CAST(o.ORD_PAT AS TEXT) AS patient,
    CAST(o.ORD_ITV AS TEXT) AS practitioner,
    CAST(o.ORD_ACT AS TEXT) AS encounter,
    CAST(o.ORD_DOC AS TEXT) AS document,
    COALESCE(c.code, 'other') AS category,
    CASE WHEN date(o.ORD_DT, '+0 days') = substr(o.ORD_DT, 1, 10) THEN replace(o.ORD_DT, ' ', 'T') ELSE o.ORD_DT END AS prescribed,
    o.ORD_FIN AS valid_until,
    o.ORD_NUM_EPRES AS e_prescription,
    o.ORD_BIZONE AS two_zones,
    o.ORD_EXCEPT AS exceptional,
    o.ORD_SECUR AS secured,
    o.ORD_URG AS urgent,
    o.ORD_DOMIC AS at_home,
    'T_ORDO' AS source_table,
    CAST(o.ORD_ID AS TEXT) AS source_key
FROM T_ORDO AS o
LEFT JOIN map_prescriptions AS c ON c.local = o.ORD_NAT

SELECT
    CAST(o.OPP_ID AS TEXT) AS key,
    CAST(o.OPP_PAT AS TEXT) AS patient,
    CAST(o.OPP_DOC AS TEXT) AS document,
    CAST(o.OPP_ITV_VISE AS TEXT) AS practitioner,
    COALESCE(s.code, 'all') AS scope,
    CASE WHEN date(o.OPP_DT, '+0 days') = substr(o.OPP_DT, 1, 10) THEN replace(o.OPP_DT, ' ', 'T') ELSE o.OPP_DT END AS recorded,
    CAST(o.OPP_ITV AS TEXT) AS recorded_by,
    o.OPP_MOTIF AS reason,
    'T_OPPOS' AS source_table,
    CAST(o.OPP_ID AS TEXT) AS source_key
FROM T_OPPOS AS o
-- An unknown scope is read as the widest: never send what a patient may have refused.
LEFT JOIN map_objections AS s ON s.local = o.OPP_PORTEE

SELECT
    CAST(t.TRC_ID AS TEXT) AS key,
    CAST(t.TRC_PAT AS TEXT) AS patient,
    t.TRC_LOGIN AS actor,
    CASE WHEN date(t.TRC_DT, '+0 days') = substr(t.TRC_DT, 1, 10) THEN replace(t.TRC_DT, ' ', 'T') ELSE t.TRC_DT END AS at,
    COALESCE(a.code, t.TRC_ACTION) AS action,
    t.TRC_OBJET AS object,
    'T_TRACE' AS source_table,
    CAST(t.TRC_ID AS TEXT) AS source_key
FROM T_TRACE AS t
LEFT JOIN map_actions AS a ON a.local = t.TRC_ACTION

SELECT
    CAST(r.PRO_ID AS TEXT) AS key,
    CAST(r.PRO_PAT AS TEXT) AS patient,
    COALESCE(l.code, 'other') AS role,
    r.PRO_REP_LEGAL AS legal_representative,
    r.PRO_NOM AS family,
    r.PRO_PREN AS given,
    CASE
        WHEN date(substr(r.PRO_DTN, 7, 4) || '-' || substr(r.PRO_DTN, 4, 2) || '-' || substr(r.PRO_DTN, 1, 2), '+0 days')
            = substr(r.PRO_DTN, 7, 4) || '-' || substr(r.PRO_DTN, 4, 2) || '-' || substr(r.PRO_DTN, 1, 2)
            THEN substr(r.PRO_DTN, 7, 4) || '-' || substr(r.PRO_DTN, 4, 2) || '-' || substr(r.PRO_DTN, 1, 2)
        ELSE r.PRO_DTN
    END AS birth_date,
    r.PRO_TEL AS phone,
    'T_PROCHE' AS source_table,
    CAST(r.PRO_ID AS TEXT) AS source_key
FROM T_PROCHE AS r
LEFT JOIN map_links AS l ON l.local = r.PRO_LIEN

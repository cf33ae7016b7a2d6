SELECT
    CAST(s.STR_ID AS TEXT) AS key,
    s.STR_NOM AS name,
    COALESCE(n.code, '') || s.STR_ID_VAL AS struct_idnat,
    s.STR_OID AS oid,
    f.code AS facility_type,
    p.code AS practice_setting,
    s.STR_ADR AS address,
    s.STR_CP AS postal_code,
    s.STR_VILLE AS city,
    s.STR_TEL AS phone,
    s.STR_MEL AS email,
    'T_STRUCT' AS source_table,
    CAST(s.STR_ID AS TEXT) AS source_key
FROM T_STRUCT AS s
LEFT JOIN map_structure_ids AS n ON n.local = s.STR_ID_NAT
LEFT JOIN map_facilities AS f ON f.local = s.STR_SECT
LEFT JOIN map_settings AS p ON p.local = s.STR_CADRE

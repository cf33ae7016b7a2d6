-- The secretary's office is in the same table of the product: not professionals, they stay in the native part.
SELECT
    CAST(i.ITV_ID AS TEXT) AS key,
    CAST(i.ITV_STR AS TEXT) AS practice,
    CASE length(i.ITV_RPPS) WHEN 12 THEN '' WHEN 9 THEN '0' ELSE '8' END || i.ITV_RPPS AS idnat,
    i.ITV_NOM AS family,
    i.ITV_PREN AS given,
    c.code AS prefix,
    t.code AS suffix,
    s.code AS specialty,
    i.ITV_TEL AS phone,
    i.ITV_SORTIE IS NULL AS active,
    'T_INTERV' AS source_table,
    CAST(i.ITV_ID AS TEXT) AS source_key
FROM T_INTERV AS i
LEFT JOIN map_civilities AS c ON c.local = i.ITV_CIV
LEFT JOIN map_titles AS t ON t.local = i.ITV_TITRE
LEFT JOIN map_specialties AS s ON s.local = i.ITV_SPEC
WHERE i.ITV_SPEC <> 'SEC'

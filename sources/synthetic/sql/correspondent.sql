SELECT
    CAST(COR_ID AS TEXT) AS key,
    CAST(COR_PAT AS TEXT) AS patient,
    '8' || COR_RPPS AS idnat,
    COR_NOM AS family,
    COR_PREN AS given,
    COR_SPEC AS specialty,
    COR_STRUCT AS organisation,
    COR_MSS AS mssante,
    COR_TEL AS phone,
    COR_VILLE AS city,
    'T_CORRESP' AS source_table,
    CAST(COR_ID AS TEXT) AS source_key
FROM T_CORRESP

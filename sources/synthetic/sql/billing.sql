SELECT
    CAST(FAC_ID AS TEXT) AS key,
    CAST(FAC_PAT AS TEXT) AS patient,
    CASE
        WHEN date(substr(FAC_DT, 1, 4) || '-' || substr(FAC_DT, 5, 2) || '-' || substr(FAC_DT, 7, 2), '+0 days')
            = substr(FAC_DT, 1, 4) || '-' || substr(FAC_DT, 5, 2) || '-' || substr(FAC_DT, 7, 2)
            THEN substr(FAC_DT, 1, 4) || '-' || substr(FAC_DT, 5, 2) || '-' || substr(FAC_DT, 7, 2)
        ELSE CAST(FAC_DT AS TEXT)
    END AS at,
    FAC_LIB AS label,
    printf('%.2f', FAC_MT / 100.0) AS amount,
    'T_FACTURE' AS source_table,
    CAST(FAC_ID AS TEXT) AS source_key
FROM T_FACTURE

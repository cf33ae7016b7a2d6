-- The hour is an integer without leading zero: 730 is half past seven.
SELECT
    CAST(b.BIO_ID AS TEXT) AS key,
    CAST(b.BIO_PAT AS TEXT) AS patient,
    CAST(b.BIO_DOC AS TEXT) AS document,
    b.BIO_COD AS code,
    NULLIF(s.code, '') AS system,
    b.BIO_LIB AS label,
    replace(b.BIO_VAL, ',', '.') AS value,
    b.BIO_TXT AS value_text,
    b.BIO_UNIT AS unit,
    replace(b.BIO_INF, ',', '.') AS low,
    replace(b.BIO_SUP, ',', '.') AS high,
    i.code AS flag,
    CASE
        WHEN date(substr(b.BIO_DT, 1, 4) || '-' || substr(b.BIO_DT, 5, 2) || '-' || substr(b.BIO_DT, 7, 2), '+0 days')
            = substr(b.BIO_DT, 1, 4) || '-' || substr(b.BIO_DT, 5, 2) || '-' || substr(b.BIO_DT, 7, 2)
            THEN substr(b.BIO_DT, 1, 4) || '-' || substr(b.BIO_DT, 5, 2) || '-' || substr(b.BIO_DT, 7, 2)
        ELSE CAST(b.BIO_DT AS TEXT)
    END
    || COALESCE('T' || printf('%02d:%02d:00', b.BIO_HR / 100, b.BIO_HR % 100), '') AS measured,
    b.BIO_CHAP AS chapter,
    b.BIO_EXAM AS panel,
    b.BIO_PREL AS specimen,
    b.BIO_TECH AS method,
    -- 0 says only that the line corrects none.
    CASE b.BIO_CORRIGE WHEN 1 THEN 'corrected' END AS status,
    b.BIO_LABO AS laboratory,
    b.BIO_VALID AS validated_by,
    replace(b.BIO_VALID_DT, ' ', 'T') AS validated,
    b.BIO_COM AS comment,
    'T_BIO' AS source_table,
    CAST(b.BIO_ID AS TEXT) AS source_key
FROM T_BIO AS b
LEFT JOIN map_code_systems AS s ON s.local = b.BIO_NOM
LEFT JOIN map_interpretations AS i ON i.local = b.BIO_INTERP

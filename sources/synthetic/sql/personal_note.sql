SELECT
    CAST(NPE_ID AS TEXT) AS key,
    CAST(NPE_PAT AS TEXT) AS patient,
    CAST(NPE_ITV AS TEXT) AS practitioner,
    CAST(NPE_ACT AS TEXT) AS encounter,
    CASE WHEN date(NPE_DT, '+0 days') = substr(NPE_DT, 1, 10) THEN replace(NPE_DT, ' ', 'T') ELSE NPE_DT END AS recorded,
    NPE_TITRE AS title,
    NPE_TXT AS text,
    'T_NOTE_PERSO' AS source_table,
    CAST(NPE_ID AS TEXT) AS source_key
FROM T_NOTE_PERSO

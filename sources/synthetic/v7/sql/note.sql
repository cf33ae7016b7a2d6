-- Mirabelle 7 keeps personal notes among the others.
-- Notes deleted in the software stay in the native part: exporting them as notes would undo the deletion.
SELECT
    CAST(NOT_ID AS TEXT) AS key,
    CAST(NOT_PAT AS TEXT) AS patient,
    CAST(NOT_ITV AS TEXT) AS practitioner,
    CAST(NOT_ACT AS TEXT) AS encounter,
    CASE WHEN date(NOT_DT, '+0 days') = substr(NOT_DT, 1, 10) THEN replace(NOT_DT, ' ', 'T') ELSE NOT_DT END AS recorded,
    NOT_TITRE AS title,
    NOT_TXT AS text,
    'T_NOTE' AS source_table,
    CAST(NOT_ID AS TEXT) AS source_key
FROM T_NOTE
WHERE NOT_SUPPR IS NOT 1 AND NOT_PERSO IS NOT 1

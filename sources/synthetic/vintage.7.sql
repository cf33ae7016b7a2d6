-- The upgrade from Mirabelle 7 to 8, undone: a practice of version 8 becomes the one it was under version 7, as far as that one can
-- hold it.

UPDATE T_PARAM SET PRM_VAL = '7.4.2' WHERE PRM_CLE = 'VERSION';

-- 8 numbers what 7 spelled.
ALTER TABLE T_PATIENT ADD COLUMN PAT_SEXE_7 TEXT;
UPDATE T_PATIENT SET PAT_SEXE_7 = CASE PAT_SEXE WHEN 1 THEN 'M' WHEN 2 THEN 'F' WHEN 9 THEN 'I' ELSE PAT_SEXE END;
ALTER TABLE T_PATIENT DROP COLUMN PAT_SEXE;
ALTER TABLE T_PATIENT RENAME COLUMN PAT_SEXE_7 TO PAT_SEXE;

-- The first version's form of dates; what is no date stays as it was typed.
UPDATE T_ACTE SET ACT_DT = substr(ACT_DT, 9, 2) || '/' || substr(ACT_DT, 6, 2) || '/' || substr(ACT_DT, 1, 4)
WHERE ACT_DT LIKE '____-__-__';

ALTER TABLE T_ALLERG DROP COLUMN ALG_GRAV;

-- 8 gave personal notes a table of their own.
ALTER TABLE T_NOTE ADD COLUMN NOT_PERSO INTEGER;
INSERT INTO T_NOTE (NOT_ID, NOT_PAT, NOT_ITV, NOT_ACT, NOT_DT, NOT_TITRE, NOT_TXT, NOT_FORMAT, NOT_SUPPR, NOT_PERSO)
SELECT NPE_ID, NPE_PAT, NPE_ITV, NPE_ACT, NPE_DT, NPE_TITRE, NPE_TXT, 'T', 0, 1 FROM T_NOTE_PERSO;
DROP TABLE T_NOTE_PERSO;

-- 8 began the register of objections.
DROP TABLE T_OPPOS;

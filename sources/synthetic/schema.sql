-- Schema of Mirabelle 8, an invented product. Three date forms live together, as in any software of twenty years:
-- ISO text in what is recent, JJ/MM/AAAA text in what came from the first version, AAAAMMJJ integers in between.

CREATE TABLE T_PARAM (
    PRM_CLE TEXT PRIMARY KEY,
    PRM_VAL TEXT
);

-- Lookup table of the document types of the product.
CREATE TABLE T_TYPE_DOC (
    TYD_CODE TEXT PRIMARY KEY,
    TYD_LIB TEXT NOT NULL,
    TYD_CLASSEUR TEXT,
    TYD_ORDRE INTEGER
);

CREATE TABLE T_STRUCT (
    STR_ID INTEGER PRIMARY KEY,
    STR_NOM TEXT NOT NULL,
    STR_ID_NAT TEXT,            -- F FINESS, S SIRET, N technical number
    STR_ID_VAL TEXT,
    STR_OID TEXT,
    STR_SECT TEXT,              -- MSP, CAB
    STR_CADRE TEXT,             -- AMB
    STR_ADR TEXT,
    STR_CP TEXT,
    STR_VILLE TEXT,
    STR_TEL TEXT,
    STR_MEL TEXT,
    STR_IBAN TEXT
);

CREATE TABLE T_INTERV (
    ITV_ID INTEGER PRIMARY KEY,
    ITV_STR INTEGER,
    ITV_NOM TEXT NOT NULL,
    ITV_PREN TEXT,
    ITV_CIV TEXT,               -- M., Mme
    ITV_TITRE TEXT,             -- Dr or empty
    ITV_RPPS TEXT,              -- 11 digits; 9 for an ADELI number; 12 when read from a card with its prefix
    ITV_SPEC TEXT,              -- MG, SF, IDE, IPA, SEC
    ITV_TEL TEXT,
    ITV_SORTIE INTEGER,         -- AAAAMMJJ, empty while in the practice
    ITV_LOGIN TEXT,
    ITV_MDP_HASH TEXT,
    ITV_COUL_AGENDA TEXT
);

CREATE TABLE T_PATIENT (
    PAT_ID INTEGER PRIMARY KEY,
    PAT_NUM TEXT,
    PAT_NOM_NAIS TEXT NOT NULL,
    PAT_PRENS_NAIS TEXT,
    PAT_PREN1 TEXT,
    PAT_NOM_USU TEXT,
    PAT_PREN_USU TEXT,
    PAT_SEXE INTEGER,           -- 1, 2, 9 when not known
    PAT_DTN TEXT,               -- JJ/MM/AAAA
    PAT_DTN_INCERT INTEGER,
    PAT_LIEU_COG TEXT,
    PAT_LIEU_LIB TEXT,
    PAT_INS TEXT,
    PAT_INS_OID TEXT,
    PAT_INS_APPEL INTEGER,      -- AAAAMMJJ, day of the INSi call
    PAT_INS_CR TEXT,            -- code of the answer, 00 when one identity was found
    PAT_INS_ANC TEXT,           -- former matricules: matricule, OID, first and last day, separated by commas, one a line
    PAT_PIECE TEXT,             -- CNI, PASS, SEJ, AN: high-trust document shown, empty when none
    PAT_STATUT_ID TEXT,         -- label of the product, kept by hand, not to be trusted
    PAT_HOMONYME INTEGER,
    PAT_DOUTEUX INTEGER,
    PAT_FICTIF INTEGER,
    PAT_ADR TEXT,
    PAT_CP TEXT,
    PAT_VILLE TEXT,
    PAT_PAYS TEXT,
    PAT_TEL TEXT,
    PAT_PORT TEXT,
    PAT_MEL TEXT,
    PAT_DECES TEXT,             -- JJ/MM/AAAA
    PAT_MT INTEGER,
    PAT_DMP TEXT,               -- O open, N none, F closed, empty not known
    PAT_DMP_DT INTEGER,         -- AAAAMMJJ
    PAT_CREE TEXT,              -- AAAA-MM-JJ
    PAT_ALERTE TEXT,
    PAT_PROF TEXT,
    PAT_SECRET INTEGER,
    PAT_CAISSE TEXT,
    PAT_MUTUELLE TEXT,
    PAT_ALD INTEGER,
    PAT_COULEUR TEXT,
    PAT_ARCHIVE INTEGER,
    PAT_PHOTO BLOB
);

CREATE TABLE T_PROCHE (
    PRO_ID INTEGER PRIMARY KEY,
    PRO_PAT INTEGER NOT NULL,
    PRO_LIEN TEXT,              -- PER, MER, TUT, PCF, URG, ENF, AUT
    PRO_REP_LEGAL INTEGER,
    PRO_NOM TEXT NOT NULL,
    PRO_PREN TEXT,
    PRO_DTN TEXT,               -- JJ/MM/AAAA
    PRO_TEL TEXT,
    PRO_OBS TEXT
);

CREATE TABLE T_CORRESP (
    COR_ID INTEGER PRIMARY KEY,
    COR_PAT INTEGER,
    COR_RPPS TEXT,
    COR_NOM TEXT NOT NULL,
    COR_PREN TEXT,
    COR_SPEC TEXT,
    COR_STRUCT TEXT,
    COR_MSS TEXT,
    COR_TEL TEXT,
    COR_VILLE TEXT,
    COR_FAX TEXT
);

CREATE TABLE T_ACTE (
    ACT_ID INTEGER PRIMARY KEY,
    ACT_PAT INTEGER NOT NULL,
    ACT_ITV INTEGER,
    ACT_DT TEXT,                -- AAAA-MM-JJ
    ACT_HR_DEB TEXT,            -- HH:MM
    ACT_HR_FIN TEXT,
    ACT_LIEU TEXT,              -- C, D, T
    ACT_MOTIF TEXT,
    ACT_COTATION TEXT,
    ACT_VERROU INTEGER
);

CREATE TABLE T_NOTE (
    NOT_ID INTEGER PRIMARY KEY,
    NOT_PAT INTEGER NOT NULL,
    NOT_ITV INTEGER,
    NOT_ACT INTEGER,
    NOT_DT TEXT,                -- AAAA-MM-JJ HH:MM:SS
    NOT_TITRE TEXT,
    NOT_TXT TEXT NOT NULL,
    NOT_FORMAT TEXT,            -- R RTF, T plain text
    NOT_SUPPR INTEGER
);

CREATE TABLE T_NOTE_PERSO (
    NPE_ID INTEGER PRIMARY KEY,
    NPE_PAT INTEGER NOT NULL,
    NPE_ITV INTEGER,
    NPE_ACT INTEGER,
    NPE_DT TEXT,                -- AAAA-MM-JJ HH:MM:SS
    NPE_TITRE TEXT,
    NPE_TXT TEXT NOT NULL
);

CREATE TABLE T_ATCD (
    ATD_ID INTEGER PRIMARY KEY,
    ATD_PAT INTEGER NOT NULL,
    ATD_ITV INTEGER,
    ATD_RUB TEXT,               -- P, A, C, F, T
    ATD_COD TEXT,
    ATD_NOM TEXT,               -- nomenclature of the code: CIM
    ATD_LIB TEXT NOT NULL,
    ATD_ETAT TEXT,              -- O affirmed, N denied, empty not recorded
    ATD_DEB TEXT,               -- AAAA, MM/AAAA or JJ/MM/AAAA
    ATD_FIN TEXT,
    ATD_SAISIE TEXT,            -- AAAA-MM-JJ HH:MM:SS
    ATD_CONFID INTEGER,
    ATD_ORDRE INTEGER
);

CREATE TABLE T_ALLERG (
    ALG_ID INTEGER PRIMARY KEY,
    ALG_PAT INTEGER NOT NULL,
    ALG_ITV INTEGER,
    ALG_COD TEXT,
    ALG_NOM TEXT,               -- ATC
    ALG_LIB TEXT NOT NULL,
    ALG_REACT TEXT,
    ALG_GRAV INTEGER,           -- 1, 2, 3
    ALG_ETAT TEXT,              -- O, N, empty
    ALG_DEB TEXT,               -- AAAA, MM/AAAA or JJ/MM/AAAA
    ALG_SAISIE TEXT             -- AAAA-MM-JJ HH:MM:SS
);

CREATE TABLE T_TTT (
    TTT_ID INTEGER PRIMARY KEY,
    TTT_PAT INTEGER NOT NULL,
    TTT_ITV INTEGER,
    TTT_COD TEXT,
    TTT_NOM TEXT,               -- CIP, ATC
    TTT_LIB TEXT NOT NULL,
    TTT_POSO TEXT,
    TTT_DEB INTEGER,            -- AAAAMMJJ
    TTT_FIN INTEGER,
    TTT_FOND INTEGER,
    TTT_ETAT TEXT,
    TTT_PRIX INTEGER
);

CREATE TABLE T_FDR (
    FDR_ID INTEGER PRIMARY KEY,
    FDR_PAT INTEGER NOT NULL,
    FDR_NAT TEXT,               -- TAB, ALC, APH, PRO, SOC, AUT
    FDR_LIB TEXT NOT NULL,
    FDR_VAL TEXT,
    FDR_ETAT TEXT,
    FDR_SAISIE TEXT             -- AAAA-MM-JJ HH:MM:SS
);

CREATE TABLE T_VACCIN (
    VAC_ID INTEGER PRIMARY KEY,
    VAC_PAT INTEGER NOT NULL,
    VAC_ITV INTEGER,
    VAC_COD TEXT,
    VAC_NOM TEXT,               -- ATC
    VAC_LIB TEXT NOT NULL,
    VAC_LOT TEXT,
    VAC_DT TEXT,                -- JJ/MM/AAAA
    VAC_RANG INTEGER,
    VAC_ETAT TEXT,
    VAC_SITE TEXT,
    VAC_RAPPEL INTEGER,
    VAC_VOIE TEXT,
    VAC_PAR TEXT,               -- who gave it, when not here
    VAC_REACTION TEXT,
    VAC_NOTE TEXT
);

CREATE TABLE T_CONST (
    CST_ID INTEGER PRIMARY KEY,
    CST_PAT INTEGER NOT NULL,
    CST_ACT INTEGER,
    CST_COD TEXT,               -- POIDS, TAILLE, TAS, TAD, FC, TEMP, SAT, PC
    CST_LIB TEXT,
    CST_VAL TEXT,               -- decimal comma
    CST_UNIT TEXT,
    CST_DT TEXT,                -- AAAA-MM-JJ HH:MM:SS
    CST_APPAREIL TEXT
);

CREATE TABLE T_BIO (
    BIO_ID INTEGER PRIMARY KEY,
    BIO_PAT INTEGER NOT NULL,
    BIO_DOC INTEGER,
    BIO_COD TEXT,
    BIO_NOM TEXT,               -- LOINC, LABO
    BIO_LIB TEXT NOT NULL,
    BIO_VAL TEXT,               -- decimal comma
    BIO_TXT TEXT,
    BIO_UNIT TEXT,
    BIO_INF TEXT,
    BIO_SUP TEXT,
    BIO_INTERP TEXT,            -- N, B, BB, H, HH, A
    BIO_DT INTEGER,             -- AAAAMMJJ
    BIO_HR INTEGER,             -- HMM or HHMM
    BIO_CORRIGE INTEGER,        -- 1 in place of an earlier line
    BIO_LABO TEXT,
    BIO_CHAP TEXT,              -- chapter of the report
    BIO_PREL TEXT,              -- nature of the sample
    BIO_EXAM TEXT,              -- examination that the line is part of
    BIO_TECH TEXT,
    BIO_VALID TEXT,             -- who validated
    BIO_VALID_DT TEXT,          -- AAAA-MM-JJ HH:MM:SS
    BIO_COM TEXT
);

CREATE TABLE T_ORDO (
    ORD_ID INTEGER PRIMARY KEY,
    ORD_PAT INTEGER NOT NULL,
    ORD_ITV INTEGER,
    ORD_ACT INTEGER,
    ORD_DOC INTEGER,
    ORD_NAT TEXT,               -- M, B, I, S, D, X
    ORD_DT TEXT,                -- AAAA-MM-JJ HH:MM:SS
    ORD_NUM_EPRES TEXT,
    ORD_FIN TEXT,               -- AAAA-MM-JJ
    ORD_BIZONE INTEGER,
    ORD_EXCEPT INTEGER,
    ORD_SECUR INTEGER,
    ORD_URG INTEGER,
    ORD_DOMIC INTEGER
);

CREATE TABLE T_ORDO_LIG (
    OLI_ID INTEGER PRIMARY KEY,
    OLI_PAT INTEGER NOT NULL,
    OLI_ORD INTEGER NOT NULL,
    OLI_COD TEXT,
    OLI_NOM TEXT,               -- CIP, LOINC, empty
    OLI_LIB TEXT NOT NULL,
    OLI_POSO TEXT,
    OLI_DUREE TEXT,
    OLI_RENOUV INTEGER,
    OLI_ALD INTEGER,
    OLI_QTE TEXT,
    OLI_QTE_U TEXT,
    OLI_NON_SUBST INTEGER,
    OLI_NS_MOTIF TEXT,
    OLI_AT INTEGER,
    OLI_PREV INTEGER,
    OLI_NR INTEGER,
    OLI_HORS_AMM INTEGER,
    OLI_DEB TEXT,               -- AAAA-MM-JJ
    OLI_FIN TEXT,
    OLI_DOSE TEXT,
    OLI_DOSE_U TEXT,
    OLI_NB INTEGER,             -- intakes
    OLI_PER TEXT,               -- in so many
    OLI_PER_U TEXT,             -- H, J, S, M
    OLI_VOIE TEXT,
    OLI_CONSIGNE TEXT,
    OLI_NOTE_PHARMA TEXT
);

CREATE TABLE T_DOC (
    DOC_ID INTEGER PRIMARY KEY,
    DOC_PAT INTEGER,
    DOC_ITV INTEGER,
    DOC_ACT INTEGER,
    DOC_TYPE TEXT,
    DOC_TITRE TEXT,
    DOC_ORIG TEXT,              -- I made here, E from outside, P from the patient
    DOC_AUT_EXT TEXT,
    DOC_DT TEXT,                -- AAAA-MM-JJ
    DOC_HR TEXT,                -- HH:MM
    DOC_DT_FIN TEXT,            -- AAAA-MM-JJ
    DOC_CREE TEXT,              -- AAAA-MM-JJ HH:MM:SS
    DOC_HOSPI TEXT,             -- O, N, empty
    DOC_EP TEXT,                -- entente préalable: O, N, empty
    DOC_GENET TEXT,             -- O, N, empty
    DOC_MASQ_PS INTEGER,
    DOC_INV_PAT INTEGER,
    DOC_INV_REP INTEGER,
    DOC_NT_MOTIF TEXT,
    DOC_NT_ITV INTEGER,
    DOC_NT_DT TEXT,             -- AAAA-MM-JJ HH:MM:SS
    DOC_CONF_ITV INTEGER,       -- who ticked one of the three boxes of visibility
    DOC_CONF_DT TEXT,           -- AAAA-MM-JJ HH:MM:SS
    DOC_CONF_MOTIF TEXT,
    DOC_DMP TEXT,               -- J never, E sent, S sent then deleted, empty: the product does not know
    DOC_DMP_UID TEXT,
    DOC_DMP_UUID TEXT,
    DOC_DMP_DT TEXT,            -- AAAA-MM-JJ HH:MM:SS
    DOC_SUPPR TEXT,             -- O, N
    DOC_COR INTEGER,
    DOC_MSS_ID TEXT,
    DOC_CLASSEUR TEXT,
    DOC_LU INTEGER
);

CREATE TABLE T_DOC_CONTENU (
    CNT_ID INTEGER PRIMARY KEY,
    CNT_DOC INTEGER NOT NULL,
    CNT_VERS INTEGER NOT NULL,
    CNT_DT TEXT,                -- AAAA-MM-JJ HH:MM:SS
    CNT_MIME TEXT,
    CNT_NOM TEXT,
    CNT_CRC INTEGER,
    CNT_TAILLE INTEGER,         -- octets
    CNT_BLOB BLOB
);

CREATE TABLE T_RDV (
    RDV_ID INTEGER PRIMARY KEY,
    RDV_PAT INTEGER,
    RDV_ITV INTEGER,
    RDV_DEB TEXT,               -- AAAA-MM-JJ HH:MM
    RDV_FIN TEXT,
    RDV_ETAT TEXT,              -- P, V, A, L
    RDV_LIB TEXT,
    RDV_SUPPR INTEGER,
    RDV_ORIGINE TEXT
);

CREATE TABLE T_TRACE (
    TRC_ID INTEGER PRIMARY KEY,
    TRC_PAT INTEGER,
    TRC_LOGIN TEXT,
    TRC_DT TEXT,                -- AAAA-MM-JJ HH:MM:SS
    TRC_ACTION TEXT,            -- LEC, MOD, IMP, SUP
    TRC_OBJET TEXT,
    TRC_POSTE TEXT
);

CREATE TABLE T_OPPOS (
    OPP_ID INTEGER PRIMARY KEY,
    OPP_PAT INTEGER NOT NULL,
    OPP_DOC INTEGER,
    OPP_ITV_VISE INTEGER,       -- when the objection is to one professional's documents
    OPP_PORTEE TEXT,            -- D, P, C, T
    OPP_DT TEXT,                -- AAAA-MM-JJ HH:MM:SS
    OPP_ITV INTEGER,
    OPP_MOTIF TEXT
);

CREATE TABLE T_FACTURE (
    FAC_ID INTEGER PRIMARY KEY,
    FAC_PAT INTEGER,
    FAC_DT INTEGER,             -- AAAAMMJJ
    FAC_LIB TEXT,
    FAC_MT INTEGER,             -- centimes
    FAC_FSE TEXT,
    FAC_TIERS INTEGER
);

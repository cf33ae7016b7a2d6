-- Every facility, inactive ones too: visits point at them. Identifiers of the United States (NPI, EIN) stay in native: none is a
-- Struct_IdNat. The kind of structure and the setting are not recorded by the product, nor often the OID: the settings give them.
SELECT
  CAST(id AS CHAR) AS `key`,
  name,
  NULLIF(oid, '') AS oid,
  street AS address,
  postal_code,
  city,
  phone,
  email,
  'facility' AS source_table,
  CAST(id AS CHAR) AS source_key
FROM facility

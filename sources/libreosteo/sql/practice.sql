-- The OID, the kind of structure and the setting are not recorded by the product: the settings of the run give them.
-- A new installation has an empty name, and a structure needs one.
SELECT
  CAST(id AS TEXT) AS key,
  COALESCE(NULLIF(office_name, ''), 'Cabinet LibreOsteo') AS name,
  -- Struct_IdNat: prefix 3 before a SIRET. The identifier as typed, whatever it is, stays in native.
  CASE
    WHEN upper(office_identifier_label) = 'SIRET' AND length(replace(office_identifier, ' ', '')) = 14
      AND replace(office_identifier, ' ', '') NOT GLOB '*[^0-9]*'
    THEN '3' || replace(office_identifier, ' ', '')
  END AS struct_idnat,
  NULLIF(
    office_address_street
    || CASE WHEN office_address_street <> '' AND office_address_complement <> '' THEN ', ' ELSE '' END
    || office_address_complement,
    ''
  ) AS address,
  NULLIF(office_address_zipcode, '') AS postal_code,
  NULLIF(office_address_city, '') AS city,
  NULLIF(office_phone, '') AS phone,
  'libreosteoweb_officesettings' AS source_table,
  CAST(id AS TEXT) AS source_key
FROM libreosteoweb_officesettings

"""Names of the XML signature standards that SIGN.XML uses: one list for who signs (`exporters.seal`) and who verifies
(`validators.seal`), which share nothing else, so that each is a check of the other."""

from __future__ import annotations

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"

# Types of what SignedInfo refers to.
MANIFEST = "http://www.w3.org/2000/09/xmldsig#Manifest"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"

EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"

# The exportId of MANIFEST.XML stands in the signed properties under this scheme (PORT-81).
EXPORT = "urn:uuid:"

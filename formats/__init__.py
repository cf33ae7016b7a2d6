"""Reading and deriving the wire formats (CDA, XDS metadata, XDM, ZIP, PDF facts), shared by exporters, gateways, validators, importer."""

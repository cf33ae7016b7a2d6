"""FHIR documents: one module per clinical concept maps a canonical row to its resource; `bundle` assembles them."""

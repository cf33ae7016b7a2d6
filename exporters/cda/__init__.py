"""CDA documents: the header once, then one module per body."""

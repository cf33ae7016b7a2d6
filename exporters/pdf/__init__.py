"""PDF/A-1b documents for reading: our writer, and what turns the bodies of a practice into such documents.

A structured document is never replaced by its PDF (PORT-39); deciding which document needs one belongs to the archive.
"""

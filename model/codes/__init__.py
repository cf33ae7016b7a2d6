"""Generated value sets, one module per set (tools/generate_codes.py)."""

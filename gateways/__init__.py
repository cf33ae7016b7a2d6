"""Clients of the national services. A client turns bytes into an outcome and keeps no state; when to send belongs to `assets`."""

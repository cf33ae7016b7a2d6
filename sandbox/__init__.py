"""Strict local servers of the national services, written from the sheets alone: shares with the rest only `model.codes`."""

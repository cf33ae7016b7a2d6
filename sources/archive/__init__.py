"""Archives as sources: portability archives of ours back to canonical tables, foreign XDM and CDA as received documents."""

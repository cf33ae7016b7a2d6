"""In: practice databases and archives to canonical Arrow batches. Values are cast and renamed here, never judged."""

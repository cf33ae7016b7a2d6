"""One module for each engine that may hold a practice's database; each offers `opened(...)`, a context giving a `sources.view.View`.
What a product's tables mean belongs to its mapping; choosing the module for a mapping belongs to who calls."""

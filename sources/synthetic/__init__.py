"""The embedded practice: a seeded generator of the database of an invented product, and the mapping that reads it.

What belongs here: the product's schema and habits (tables in French abbreviations, local codes, several date forms),
its people and its planted defects, and the mapping folder of that product. The generator shares nothing with the code
that judges its data: it imports neither validators, nor formats, nor exporters.
"""

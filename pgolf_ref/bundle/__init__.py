"""A submission in one file: the code of this package that a recipe uses, made for it."""

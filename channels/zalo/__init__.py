"""Zalo Official Account: articles, made hidden and then shown by id."""

"""Profiles, queries, clusters and catalogs, teams: lists and one of them."""

"""Elasticsearch: its client, bulk requests, documents and mappings."""

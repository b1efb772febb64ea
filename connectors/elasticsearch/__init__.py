"""How do documents get into the index? The client, bulk requests, mappings."""

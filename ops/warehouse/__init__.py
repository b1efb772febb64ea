"""Commands that migrate the warehouse and compare its figures with the sources."""

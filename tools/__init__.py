"""Programs for a checkout: installation, checks, and a diagnosis of the machine."""

"""The live page: what the deployment does now, in one picture."""

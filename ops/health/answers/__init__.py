"""What services answer when they are asked how they are, each at one moment."""

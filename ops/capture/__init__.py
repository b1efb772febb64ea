"""Commands that set up change data capture and compare it with what is declared."""

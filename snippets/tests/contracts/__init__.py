"""What every server of a kind must survive, written once."""

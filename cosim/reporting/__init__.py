"""One HTML page about runs, made of their traces alone, that opens without a network."""

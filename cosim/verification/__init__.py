"""Whether a finished run is whole and consistent: its files, laws, partners and hashes."""

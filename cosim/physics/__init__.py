"""Metres, hertz, watts, joules and FLOP: pure functions that know no devices and no time."""

"""Events, deadlines, who waits for whom: the only room that knows SimPy."""

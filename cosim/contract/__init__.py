"""The contract of a method: what must hold for whatever parts it is made of, tried on a tiny model.

Each check is a function of a method that ends in one sentence; nothing here knows a method's name.
"""

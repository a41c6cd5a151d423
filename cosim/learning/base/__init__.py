"""The frozen base model of any family: found, loaded, tried, and asked.

Here: weights that nobody trains. Not here: adapters, of which a model is only given the products.
"""

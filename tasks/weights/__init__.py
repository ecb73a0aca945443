"""Weights that lie elsewhere: asked cheaply whether they changed, fetched when they did."""

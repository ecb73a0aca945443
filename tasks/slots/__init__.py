"""Slots: a device, its lock, and the one engine process that lives on it."""

"""Procedural street-yard scenes with exact masks."""

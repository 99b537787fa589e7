"""Model families behind small task interfaces, the catalogue that describes them, their weights."""

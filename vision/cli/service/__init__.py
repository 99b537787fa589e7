"""One machine runs the whole service: its processes, its socket, its Redis, its folder."""

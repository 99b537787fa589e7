"""Films of moving objects in a yard, with the exact box of each one in every frame."""

"""What travels as JSON. Pydantic lives here and at no other place behind the border."""

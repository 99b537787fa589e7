"""`vision batch`: a folder of pictures, with or without a server, interrupted or not."""

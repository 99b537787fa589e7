"""What every test may ask for: see databases.py."""

pytest_plugins = ["databases"]

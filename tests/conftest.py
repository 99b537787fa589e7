"""What every test may ask for: see databases.py and torch_threads.py."""

pytest_plugins = ["databases", "torch_threads"]

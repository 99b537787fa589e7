"""`python -m workers`: one worker, with settings from the environment."""

from vision.settings import Settings
from workers.lifecycle import run_worker

if __name__ == "__main__":
    run_worker(Settings())

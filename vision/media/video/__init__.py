"""Reading recorded video through FFmpeg. Runs in the decode process only."""

"""The three things that outlive a process: rows, migrations, blobs."""

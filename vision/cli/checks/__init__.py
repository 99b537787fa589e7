"""What `vision doctor` looks at; each file one kind of thing."""

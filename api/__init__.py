"""FastAPI around the engine: routes, schemas, uploads. No torch in this process."""

"""Where a model lies and how it is found: directories, the hub, servers, chat formats."""

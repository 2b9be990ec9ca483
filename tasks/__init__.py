"""What is asked: suites, added task definitions, the embedded world and its mini suite."""

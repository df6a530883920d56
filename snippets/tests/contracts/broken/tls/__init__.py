"""TLS servers with one fault each: the TLS contract must notice it."""

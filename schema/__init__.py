"""The tables by what they are about. Everything is had from models, which lists it all."""

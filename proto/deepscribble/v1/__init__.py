"""The contract: deepscribble.proto and the stubs generated from it."""

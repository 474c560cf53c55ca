"""The hub server: the control plane over gRPC."""

"""Chat models and embedders: adapters, wrappers, offline stand-ins, prices."""

"""The messages of the protocol: generated from proto/cmdmox/v1 when the package is built, never by hand."""

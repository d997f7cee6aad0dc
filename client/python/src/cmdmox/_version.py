"""The version of this package: that of cmdmox."""

VERSION = "0.1.0"
SOFTWARE = f"cmdmox-python/{VERSION}"

# What mypy must know of protobuf to check this package: no more than is used here. Debian has no stubs of it; a user's
# types-protobuf says the same, and more.

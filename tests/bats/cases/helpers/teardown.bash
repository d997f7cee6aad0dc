# A helper that is loaded too late to have a teardown.
teardown() {
  :
}

/* Included first in every test: without assertions nothing is tested. */
#ifdef NDEBUG
#error "the tests need assertions: build without NDEBUG"
#endif

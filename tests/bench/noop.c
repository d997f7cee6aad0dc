/* The least that a static program costs; built with the launcher's flags. */
int main(void) { return 0; }

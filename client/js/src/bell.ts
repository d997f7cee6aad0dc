// The bell of the test's thread.

/** What rings when a word, or the end of a command, is there. One for all that this thread waits for. */
export const bell = new Int32Array(new SharedArrayBuffer(8));

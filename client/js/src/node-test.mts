// The door for import: the same module as for require.
export * from './node-test.js';

// Symbol.dispose and Symbol.asyncDispose, where Node has none: before 18.18 and 20.
for (const name of ['dispose', 'asyncDispose'] as const) {
  if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`) });
}

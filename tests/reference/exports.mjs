// exports.mjs TREE: the names that the JavaScript package in TREE (build/PRESET/js) exports, from its types, as JSON: for each
// door its exports, and the public members of the classes CmdMox and Double.
import { createRequire } from 'node:module';
import path from 'node:path';

const tree = path.resolve(process.argv[2]);
const ts = createRequire(path.join(tree, 'package.json'))('typescript');
const manifest = createRequire(import.meta.url)(path.join(tree, 'package/package.json'));
const doors = Object.fromEntries(Object.entries(manifest.exports).filter(([, to]) => to.import)
  .map(([door, to]) => [door, path.resolve(tree, 'package', to.import.replace(/\.mjs$/, '.d.mts'))]));
const program = ts.createProgram(Object.values(doors), { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16, types: [] });
const checker = program.getTypeChecker();
const exportsOf = (file) => checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));

const names = {};
for (const [door, file] of Object.entries(doors)) names[door] = exportsOf(file).map((symbol) => symbol.name);
const members = [];
for (const symbol of exportsOf(doors['.']).filter(({ name }) => ['CmdMox', 'Double'].includes(name))) {
  const its = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  for (const type of [checker.getDeclaredTypeOfSymbol(its), checker.getTypeOfSymbolAtLocation(its, its.valueDeclaration)]) {
    for (const member of checker.getPropertiesOfType(type)) {
      const declared = member.valueDeclaration ?? member.declarations?.[0];
      const hidden = declared && ts.getCombinedModifierFlags(declared) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected);
      const internal = member.getJsDocTags().some(({ name }) => name === 'internal');
      if (!hidden && !internal && !/^(__|#|_|prototype$)/.test(member.name)) members.push(`${symbol.name}.${member.name}`);
    }
  }
}
console.log(JSON.stringify({ doors: names, members }));

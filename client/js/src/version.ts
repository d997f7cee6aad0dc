// The version of this package, and what it calls itself to a server.
import { readFileSync } from 'node:fs';
import path from 'node:path';

const manifest = JSON.parse(readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8')) as { version: string };

export const VERSION = manifest.version;
export const SOFTWARE = `cmdmox-js/${VERSION}`;

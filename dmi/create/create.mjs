/**
 * Writes a new mapper: one source file, its test, an example, and what npm, TypeScript and a reader need. Plain
 * JavaScript, for it runs from node_modules, where Node strips no types.
 */
import fs from 'node:fs';
import path from 'node:path';

const here = import.meta.dirname;
const KINDS = ['line', 'http', 'bytes'];
/** What else a source beside the mapper is called. */
const OWN = ['simulator', 'subject'];
/** As the edge takes them; `limpet-mapper-` before it is for the registry. */
const NAME = /^[a-z][a-z0-9-]{0,31}$/;

export function create({ name, kind = 'line', folder = `limpet-mapper-${name}`, dmi }) {
  if (!NAME.test(name)) {
    throw new CreateError(
      `"${name}" cannot name a protocol: lower-case letters, digits and "-", at most 32, a letter first`,
    );
  }
  if (OWN.includes(name)) {
    throw new CreateError(
      `"${name}" cannot name a protocol: ${name}.ts is another file of the folder`,
    );
  }
  if (!KINDS.includes(kind)) throw new CreateError(`there is no template "${kind}"`);
  const into = path.resolve(folder);
  if (fs.existsSync(into) && fs.readdirSync(into).length > 0) {
    throw new CreateError(`${into} is not empty: name another folder, or empty it`);
  }
  const template = path.join(here, 'templates', kind);
  const version = JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8')).version;
  const files = new Map();
  for (const file of fs.readdirSync(template)) {
    const text = fs.readFileSync(path.join(template, file), 'utf8');
    const named = file.replace(/^mapper\./, `${name}.`);
    const mapper = text
      .replaceAll(`template-${kind}`, name)
      .replaceAll('./mapper.ts', `./${name}.ts`);
    files.set(named, mapper);
  }
  files.set('package.json', json(manifest({ name, kind, version, dmi })));
  files.set('tsconfig.json', json(TSCONFIG));
  files.set('README.md', readme({ name, kind, dmi }));
  files.set('.gitignore', 'node_modules\n/*.tgz\n');
  fs.mkdirSync(into, { recursive: true });
  for (const [file, text] of files) fs.writeFileSync(path.join(into, file), text, { flag: 'wx' });
  return { folder: into, files: [...files.keys()] };
}

/** What the person can mend. */
export class CreateError extends Error {
  code = 'NEW_REFUSED';
}

function manifest({ name, kind, version, dmi = `^${version}` }) {
  // Where the device of the example listens: the least that works, to be widened or narrowed.
  const network = kind === 'http' ? ['*:80'] : ['*:5025'];
  return {
    name: `limpet-mapper-${name}`,
    version: '0.1.0',
    description: `Devices that speak ${name}, for Limpet.`,
    license: 'UNLICENSED',
    type: 'module',
    exports: `./${name}.ts`,
    scripts: {
      dev: 'limpet mapper dev',
      test: 'limpet mapper test',
      'test:node': 'node --test',
      types: 'tsc',
      pack: 'limpet mapper pack',
    },
    dependencies: { '@limpet/dmi': dmi, valibot: '^1.5.0' },
    devDependencies: { '@types/node': '^24', typescript: '>=5.8' },
    engines: { node: '>=22.18' },
    limpet: { protocol: name, memory: '24Mi', permissions: { network } },
  };
}

const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
  },
};

const readme = ({ name, kind, dmi }) => `# limpet-mapper-${name}

Teaches Limpet the protocol \`${name}\`. The source is \`${name}.ts\`; \`example.yaml\` holds a model and a device of it, \`subject.ts\` what else the tests try.

    limpet mapper dev        # the example against the simulator, live; reloads when you save
    limpet mapper test       # the promises of the device mapper interface, each by its number
    limpet mapper describe   # settings and visitors as tables, JSON Schema, or a form
    limpet mapper pack       # one file for a board: limpet mapper install FILE --edge limpet.yaml

What it may touch stands in package.json, \`limpet.permissions\`: ${touch(kind)}.
${
  dmi
    ? `
\`vendor/\` holds the \`@limpet/dmi\` of the checkout of Limpet that wrote this folder, and \`node_modules\` links into that checkout; \`npm install\` replaces the
links. Where a registry has \`@limpet/dmi\`, put its version into package.json and delete \`vendor/\`.
`
    : ''
}
How to write a mapper: WRITING-A-MAPPER.md in \`@limpet/dmi\`.
`;

const touch = (kind) =>
  kind === 'http'
    ? 'port 80 of any host'
    : 'port 5025 of any host. For a serial line add `"serial": ["/dev/ttyUSB0"]`';

const json = (value) => `${JSON.stringify(value, undefined, 2)}\n`;

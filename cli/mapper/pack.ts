/** `limpet mapper pack`: one file with everything in it, which a board installs without a registry. */
import { build, type Plugin } from 'esbuild';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from '../cli-error.ts';
import { processOutput } from '../output.ts';
import type { PackOptions } from '../verbs/mapper.ts';
import { findMapper, type Place } from './authored.ts';
import { type ArchiveFile, packArchive } from './tar.ts';

const ENTRY = 'mapper.mjs';
/** What goes along, where it is there. */
const TEXTS = ['README.md', 'LICENSE', 'example.yaml'];
/** Packages that find an add-on by walking folders at run time, which a bundle does not have. */
const FINDERS = /node_modules\/(bindings|node-gyp-build|prebuild-install|node-pre-gyp)\//;

type Fields = Readonly<Record<string, unknown>>;

export async function runPack(where: string | undefined, options: PackOptions): Promise<number> {
  const output = processOutput(options.json === true);
  const place = await findMapper(where);
  if (place.protocol === undefined) {
    throw new CliError(
      1,
      'MAPPER_MISSING',
      `${place.folder} has no package.json with a field "limpet"`,
    );
  }
  const fields = JSON.parse(
    readFileSync(path.join(place.folder, 'package.json'), 'utf8'),
  ) as Fields;
  const files = await packed(place, fields);
  const archive = packArchive(files);
  const file = path.resolve(options.out ?? fileName(fields, place.protocol));
  writeFileSync(file, archive);
  const bytes = files.find(({ name }) => name === ENTRY)?.bytes.length ?? 0;
  const { protocol } = place;
  if (output.json)
    output.printJson({ file, protocol, version: fields['version'], bytes: archive.length });
  else {
    output.print(`${file}: ${kib(archive.length)}, ${ENTRY} is ${kib(bytes)}`);
    output.print(
      `Next: limpet mapper install ${options.out ?? path.basename(file)} --edge limpet.yaml`,
    );
  }
  return 0;
}

async function packed(place: Place, fields: Fields): Promise<readonly ArchiveFile[]> {
  const { name, version, description, license, author, engines, limpet } = fields;
  // What npm and the edge read; nothing is left to be installed.
  const kept = { name, version, description, license, author, engines };
  const manifest = { ...kept, type: 'module', exports: `./${ENTRY}`, limpet };
  const texts = TEXTS.map((text) => path.join(place.folder, text)).filter(existsSync);
  return [
    { name: 'package.json', bytes: Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`) },
    { name: ENTRY, bytes: await bundled(place) },
    ...texts.map((file) => ({ name: path.basename(file), bytes: readFileSync(file) })),
  ];
}

/** The mapper alone, with all it imports; its simulator stays at home. @throws CliError PACK_REFUSED */
async function bundled({ entry, folder }: Place): Promise<Buffer> {
  let result;
  try {
    result = await build({
      stdin: {
        contents: `export { default } from ${JSON.stringify(entry)};`,
        resolveDir: folder,
        loader: 'js',
      },
      bundle: true,
      write: false,
      metafile: true,
      minify: true,
      legalComments: 'eof',
      format: 'esm',
      platform: 'node',
      target: 'node22',
      plugins: [ourDmi(), noAddons()],
      // CommonJS dependencies call require() for Node's own modules.
      banner: {
        js: "const limpetRequire=process.getBuiltinModule('module').createRequire(import.meta.url),require=limpetRequire;",
      },
      logLevel: 'silent',
    });
  } catch (error) {
    throw new CliError(1, 'PACK_REFUSED', `it cannot be bundled: ${(error as Error).message}`);
  }
  const finder = Object.keys(result.metafile.inputs).find((file) => FINDERS.test(file));
  if (finder !== undefined) throw noAddon(finder);
  return Buffer.from(result.outputFiles[0]?.contents ?? []);
}

/** The DMI goes along, so that a board with an older one runs it; and valibot where the package brings none. */
function ourDmi(): Plugin {
  return {
    name: 'our-dmi',
    setup(pack) {
      pack.onResolve({ filter: /^@limpet\/dmi(\/|$)/ }, ({ path: door }) => ({
        path: fileURLToPath(import.meta.resolve(door)),
        sideEffects: false,
      }));
      pack.onResolve({ filter: /^valibot$/ }, async ({ path: name, pluginData, ...more }) => {
        if (pluginData === 'asked') return undefined;
        const { kind, resolveDir, importer } = more;
        const found = await pack.resolve(name, { kind, resolveDir, importer, pluginData: 'asked' });
        return found.errors.length === 0
          ? found
          : { path: fileURLToPath(import.meta.resolve(name)) };
      });
    },
  };
}

function noAddons(): Plugin {
  return {
    name: 'no-addons',
    setup(pack) {
      pack.onResolve({ filter: /\.node$/ }, ({ path: file }) => ({
        errors: [{ text: noAddon(file).message }],
      }));
    },
  };
}

function noAddon(file: string): CliError {
  return new CliError(
    1,
    'PACK_REFUSED',
    `${file} belongs to a native add-on, which runs on one kind of board only and cannot be packed. Reach serial lines with context.dial; else install the mapper's folder, with its node_modules, on the board itself.`,
  );
}

/** As npm names it. */
function fileName({ name, version }: Fields, protocol: string): string {
  const plain = typeof name === 'string' ? name.replace(/^@/, '').replaceAll('/', '-') : protocol;
  return `${plain}-${String(version)}.tgz`;
}

const kib = (bytes: number): string => `${Math.ceil(bytes / 1024)} KiB`;

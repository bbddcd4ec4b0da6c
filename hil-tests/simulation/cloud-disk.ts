/** Where the simulated cloud keeps its database: a file, or on PostgreSQL a schema for each life of the process. */
import { Client } from 'pg';
import { placeOf } from '#cloud/service/testing.ts';
import { Disk } from './disk.ts';

export interface CloudDisk {
  readonly place: ReturnType<typeof placeOf>;
  /** The process is gone: everything committed is there, and what it still writes is not. */
  killed(): Promise<void> | void;
  /** A copy as a backup makes it. */
  backup(): Promise<string> | string;
  restore(backup: string): Promise<void> | void;
}

export function cloudDisk(folder: string, name: string): CloudDisk {
  const file = new Disk(folder, name);
  if (typeof placeOf(file.path) !== 'string') return new SchemaDisk(`${folder}/${name}`);
  return {
    get place() {
      return file.path;
    },
    killed: () => file.killed(),
    backup: () => file.backup(),
    restore: (backup) => file.restore(backup),
  };
}

class SchemaDisk implements CloudDisk {
  readonly #name: string;
  #generation = 0;

  constructor(name: string) {
    this.#name = name;
  }

  get place(): ReturnType<typeof placeOf> {
    return placeOf(this.#path);
  }

  killed(): Promise<void> {
    return this.#next(this.#path);
  }

  async backup(): Promise<string> {
    const copy = `${this.#path}-copy-${Math.random()}`;
    await copied(this.#path, copy);
    return copy;
  }

  restore(backup: string): Promise<void> {
    return this.#next(backup);
  }

  get #path(): string {
    return `${this.#name}-${this.#generation}`;
  }

  async #next(from: string): Promise<void> {
    this.#generation++;
    await copied(from, this.#path);
  }
}

/** What is committed in one schema, as of one moment, in another one. */
async function copied(from: string, to: string): Promise<void> {
  const [old, made] = [from, to].map((path) => placeOf(path));
  if (typeof old !== 'object' || typeof made !== 'object') throw new Error('not on PostgreSQL');
  const { host, port, user, database } = old;
  const client = new Client({ host, port, user, database });
  await client.connect();
  try {
    await client.query(`
      BEGIN ISOLATION LEVEL REPEATABLE READ;
      CREATE SCHEMA ${made.schema};
      DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '${old.schema}' LOOP
          EXECUTE format('CREATE TABLE ${made.schema}.%I (LIKE ${old.schema}.%I INCLUDING ALL)', name, name);
          EXECUTE format('INSERT INTO ${made.schema}.%I SELECT * FROM ${old.schema}.%I', name, name);
        END LOOP;
      END $$;
      COMMIT`);
  } finally {
    await client.end();
  }
}

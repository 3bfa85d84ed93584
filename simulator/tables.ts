/** One time at which a job group's rows (or a new empty table) went into a table. */
export interface Application {
  readonly jobGroupId: number;
  readonly publishJobId: number;
  readonly action: string;
  /** `api` for a publish through the API, `ui` for somebody else's. */
  readonly by: "api" | "ui";
  readonly rows: number;
  readonly at: number;
  /** The real table, with its suffix if it has one. */
  readonly table: string;
}

interface Table {
  readonly connection: number;
  readonly schema: string;
  readonly table: string;
  /** The name that was asked for, before the timestamp. */
  readonly base: string;
  rows: number;
  readonly held: Map<number, Application[]>;
}

export interface TableView {
  connection: number;
  schema: string;
  table: string;
  base: string;
  rows: number;
  applications: Application[];
}

/** A job group that was applied more than once to one target. */
export interface Twice {
  jobGroupId: number;
  connection: number;
  schema: string;
  table: string;
  applications: Application[];
}

export interface Where {
  readonly connection: number;
  readonly schema: string;
  readonly table: string;
}

type Put = Omit<Application, "at" | "table">;

/** The warehouse: tables with row counts, and which job group's rows each one holds, how many times. */
export function createTables() {
  const tables = new Map<string, Table>();
  const standing = new Map<string, Application[]>();
  // Never emptied by a later truncate: that rows stood twice for a while is what a test asks about.
  const twice = new Map<string, Twice>();

  function open(where: Where, base: string): Table {
    const key = tableKey(where);
    let table = tables.get(key);
    if (table === undefined) {
      table = { ...where, base, rows: 0, held: new Map() };
      tables.set(key, table);
    }
    return table;
  }

  function suffixed(where: Where, at: number): Where {
    for (let ms = at; ; ms++) {
      const candidate = { ...where, table: `${where.table}_${stamp(ms)}` };
      if (!tables.has(tableKey(candidate))) return candidate;
    }
  }

  function drop(table: Table, jobGroupId: number): void {
    const gone = table.held.get(jobGroupId) ?? [];
    table.held.delete(jobGroupId);
    const key = targetKey(jobGroupId, { ...table, table: table.base });
    const left = (standing.get(key) ?? []).filter((application) => !gone.includes(application));
    standing.set(key, left);
    for (const application of gone) table.rows -= application.rows;
  }

  /** Applies a publish that completed and tells the name of the table that holds it. */
  function apply(where: Where, put: Put): string {
    const at = Date.now();
    const isNew = put.action === "create" || put.action === "createAndLoad";
    const table = open(isNew ? suffixed(where, at) : where, where.table);
    if (put.action === "truncateAndLoad" || put.action === "dropAndLoad") {
      for (const jobGroupId of table.held.keys()) drop(table, jobGroupId);
    } else if (put.action === "upsert") {
      drop(table, put.jobGroupId);
    }
    const rows = put.action === "create" ? 0 : put.rows;
    const application: Application = { ...put, rows, at, table: table.table };
    table.rows += rows;
    push(table.held, put.jobGroupId, application);
    const key = targetKey(put.jobGroupId, where);
    const applications = push(standing, key, application);
    if (applications.length > 1) {
      twice.set(key, { jobGroupId: put.jobGroupId, ...where, applications: [...applications] });
    }
    return table.table;
  }

  return {
    apply,
    /** All tables, or those whose real or base name is `name` (`table` or `schema.table`). */
    list(name?: string): TableView[] {
      const wanted = name?.toLowerCase();
      const views: TableView[] = [];
      for (const { held, ...table } of tables.values()) {
        if (wanted !== undefined && !namesOf(table).includes(wanted)) continue;
        views.push({ ...table, applications: [...held.values()].flat() });
      }
      return views;
    },
    twice: (): Twice[] => [...twice.values()],
    clear(): void {
      tables.clear();
      standing.clear();
      twice.clear();
    },
  };
}
export type Tables = ReturnType<typeof createTables>;

/** A job group and the table that was asked for; Redshift folds case, so it is folded here. */
export function targetKey(jobGroupId: number, where: Where): string {
  return `${jobGroupId}/${tableKey(where)}`;
}

function tableKey({ connection, schema, table }: Where): string {
  return `${connection}/${schema}/${table}`.toLowerCase();
}

function namesOf({ schema, table, base }: Omit<Table, "held">): string[] {
  return [table, base, `${schema}.${table}`, `${schema}.${base}`].map((name) => name.toLowerCase());
}

function push<K>(map: Map<K, Application[]>, key: K, application: Application): Application[] {
  const list = map.get(key);
  if (list === undefined) {
    const first = [application];
    map.set(key, first);
    return first;
  }
  list.push(application);
  return list;
}

function stamp(at: number): string {
  return new Date(at)
    .toISOString()
    .replaceAll(/[-:.Z]/g, "")
    .replace("T", "_");
}

/** PostgreSQL settings of an embedded server, by name. */
export type ServerSettings = Readonly<Record<string, string>>

/** Small on memory, safe on disk: `fsync`, `synchronous_commit` and `full_page_writes` keep their default, on. */
const SETTINGS: ServerSettings = {
  // Reached through a Unix socket only, which its owner and root can open.
  listen_addresses: '',
  port: '5432',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '64MB',
  max_wal_size: '256MB',
  huge_pages: 'off',
  // Three processes less than the default `worker`; reads are small here.
  io_method: 'sync',
  max_logical_replication_workers: '0',
  jit: 'off',
  // Queue tables turn over quickly.
  autovacuum_naptime: '15s',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
}

/** `-c name=value` arguments for the server; `overrides` win. */
export function settingsArguments(overrides: ServerSettings, socketFolder: string): string[] {
  const settings = {
    ...SETTINGS,
    ...overrides,
    unix_socket_directories: quoteListItem(socketFolder),
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** The setting is a comma-separated list; quotes keep commas and blanks of a path in one item. */
function quoteListItem(item: string): string {
  return `"${item.replaceAll('"', '""')}"`
}

/** Host and port of `rota.example.com:7420`, `127.0.0.1:7420` or `[::1]:7420`; the address is one. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(address.slice(colon + 1)) }
}

/** True for `HOST:PORT` and `[IPv6]:PORT`. */
export function isAddress(text: string): boolean {
  const match = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):(\d{1,5})$/.exec(text)
  const port = Number(match?.[1])
  return port >= 1 && port <= 65_535
}

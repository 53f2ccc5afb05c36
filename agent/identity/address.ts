/** Host and port of `rota.example.com:7420`, `127.0.0.1:7420` or `[::1]:7420`; the address was checked by config.ts. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(address.slice(colon + 1)) }
}

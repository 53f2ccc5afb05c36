/** What a person needs to begin with the cluster that has just started. */

/** What the banner tells. */
export interface BannerFacts {
  readonly grpcAddress: string
  readonly httpAddress: string
  readonly caFile: string
  readonly tokenFile: string
  readonly logs: string
  readonly agentCount: number
  /** The data folder, when `rota` must be told of it; undefined when it finds the cluster by itself. */
  readonly dataDirOption: string | undefined
  /** Shown as `~`. */
  readonly home: string
}

/** Lines without the ending newline; within 80 columns where the paths allow it. */
export function renderBanner(facts: BannerFacts): string[] {
  const { grpcAddress, httpAddress, agentCount, dataDirOption, home } = facts
  const ca = shellPath(facts.caFile, home)
  const token = shellPath(facts.tokenFile, home)
  const authorization = `-H "authorization: Bearer $(cat ${token})"`
  const where = dataDirOption === undefined ? '' : ` --data-dir ${shellPath(dataDirOption, home)}`
  return [
    '',
    `  gRPC         ${grpcAddress} (TLS)`,
    `  HTTP         http://${httpAddress}`,
    `  CA           ${ca}`,
    `  admin token  ${token}`,
    `  logs         ${shellPath(facts.logs, home)}`,
    `  agents       ${agentCount}`,
    '',
    'Call it:',
    `  npx buf curl --protocol grpc --cacert ${ca} \\`,
    `    ${authorization} \\`,
    `    --reflect-header '*' https://${grpcAddress}/rota.v1.JobService/ListJobs`,
    '',
    `  grpcurl -cacert ${ca} \\`,
    `    ${authorization} \\`,
    `    ${grpcAddress} rota.v1.JobService/ListJobs`,
    '',
    'Try:',
    `  npx rota status${where}`,
    `  npx rota job list${where}`,
    `  npx rota job create hello --command "date" --schedule "every 10s"${where}`,
    '',
  ]
}

/** A path as a shell reads it, the home folder as `~`. */
export function shellPath(path: string, home: string): string {
  const isInHome = path.startsWith(`${home}/`)
  const rest = isInHome ? path.slice(home.length + 1) : path
  const quoted = /^[\w./@%+=:,-]+$/.test(rest) ? rest : `'${rest.replaceAll("'", `'\\''`)}'`
  return isInHome ? `~/${quoted}` : quoted
}

import { expect, it } from 'vitest'
import { renderBanner, shellPath } from '../../../../cli/dev/banner.ts'

const facts = {
  grpcAddress: '127.0.0.1:7420',
  httpAddress: '127.0.0.1:7480',
  caFile: '/home/ada/.rota/coordinator/ca.crt',
  tokenFile: '/home/ada/.rota/coordinator/admin.token',
  logs: '/home/ada/.rota/logs',
  agentCount: 12,
  dataDirOption: undefined,
  home: '/home/ada',
}

it('fits into 80 columns', () => {
  expect(Math.max(...renderBanner(facts).map((line) => line.length))).toBeLessThanOrEqual(80)
})

it('has a buf curl line that can be pasted', () => {
  expect(renderBanner(facts).join('\n')).toContain(
    [
      '  npx buf curl --protocol grpc --cacert ~/.rota/coordinator/ca.crt \\',
      '    -H "authorization: Bearer $(cat ~/.rota/coordinator/admin.token)" \\',
      "    --reflect-header '*' https://127.0.0.1:7420/rota.v1.JobService/ListJobs",
    ].join('\n'),
  )
})

it('names the data folder in the commands when they would not find it', () => {
  const text = renderBanner({ ...facts, dataDirOption: '/srv/rota' }).join('\n')
  expect(text).toContain('npx rota status --data-dir /srv/rota')
  expect(renderBanner(facts).join('\n')).not.toContain('--data-dir')
})

it('quotes what a shell would take apart', () => {
  expect(shellPath('/srv/a b/x', '/home/ada')).toBe("'/srv/a b/x'")
  expect(shellPath("/srv/it's", '/home/ada')).toBe("'/srv/it'\\''s'")
  expect(shellPath('/home/ada/my data', '/home/ada')).toBe("~/'my data'")
  expect(shellPath('/home/adam/data', '/home/ada')).toBe('/home/adam/data')
})

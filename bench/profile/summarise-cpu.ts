/** Where a process spent its time, out of a V8 CPU profile. Pure. */
import type { CpuProfile } from '../leases/inspector.ts'

/** Time in microseconds by name, most first. */
export type Times = readonly (readonly [string, number])[]

export interface CpuSummary {
  /** By the step of ours that caused it, down to the libraries that it called. */
  readonly bySteps: Times
  /** By who ran: our folders, packages, Node itself, the garbage collector. */
  readonly byOwners: Times
  /** By function, of ours and others: itself only. */
  readonly byFunctions: Times
  /** All but idle. */
  readonly busyUs: number
}

type ProfileNode = CpuProfile['nodes'][number]

const IDLE = '(idle)'
const PACKAGE = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//

export function summariseCpu({ nodes, samples, timeDeltas }: CpuProfile): CpuSummary {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map<number, number>()
  for (const { children = [], id } of nodes) for (const child of children) parents.set(child, id)
  const parentOf = (id: number) => byId.get(parents.get(id) ?? Number.NaN)
  const steps = new Map<number, string>()
  const stepOf = (id: number): string => {
    const known = steps.get(id)
    if (known !== undefined) return known
    const node = byId.get(id)
    const step = node === undefined ? '(unknown)' : ownStep(node)
    const parent = parents.get(id)
    const found = step ?? (parent === undefined ? undefined : causeOf(parent)) ?? ownerOf(node)
    steps.set(id, found)
    return found
  }
  const causeOf = (id: number): string | undefined => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const node = byId.get(at)
      const step = node && ownStep(node)
      if (step !== undefined) return step
    }
    return undefined
  }
  const bySteps = new Map<string, number>()
  const byOwners = new Map<string, number>()
  const byFunctions = new Map<string, number>()
  let busyUs = 0
  samples.forEach((id, index) => {
    const us = Math.max(0, timeDeltas[index] ?? 0)
    const node = byId.get(id)
    if (node?.callFrame.functionName === IDLE) return
    busyUs += us
    add(bySteps, stepOf(id), us)
    add(byOwners, ownerOf(node), us)
    add(byFunctions, functionOf(node, parentOf(id)), us)
  })
  return {
    bySteps: mostFirst(bySteps),
    byOwners: mostFirst(byOwners),
    byFunctions: mostFirst(byFunctions),
    busyUs,
  }
}

/** The folder of ours that a frame is in; generated code is no step. */
function ownStep({ callFrame }: ProfileNode): string | undefined {
  if (/\/(node_modules|proto\/gen)\//.test(callFrame.url)) return undefined
  const [, side, folder] = /\/(coordinator|agent)\/(?:([a-z0-9-]+)\/)?/.exec(callFrame.url) ?? []
  if (side === undefined) return undefined
  return folder === undefined ? side : `${side}/${folder}`
}

function ownerOf(node: ProfileNode | undefined): string {
  const { functionName = '', url = '' } = node?.callFrame ?? {}
  if (url === '') return functionName.startsWith('(') ? functionName : 'native'
  const [, name] = PACKAGE.exec(url) ?? []
  if (name !== undefined) return name
  if (url.startsWith('node:')) return 'node'
  if (url.includes('/proto/gen/')) return 'proto'
  const [, folder] = /\/(coordinator|agent|shared)\//.exec(url) ?? []
  return folder ?? 'other'
}

/** What is native is told with who called it. */
function functionOf(node: ProfileNode | undefined, parent: ProfileNode | undefined): string {
  const { functionName = '', url = '' } = node?.callFrame ?? {}
  const name = functionName || '(anonymous)'
  if (url !== '') return `${name} ${placeOf(url)}`
  if (name.startsWith('(') || parent === undefined) return name
  return `${name} called by ${parent.callFrame.functionName} ${placeOf(parent.callFrame.url)}`
}

function placeOf(url: string): string {
  return url.split('/').slice(-2).join('/')
}

function add(times: Map<string, number>, name: string, us: number): void {
  times.set(name, (times.get(name) ?? 0) + us)
}

function mostFirst(times: ReadonlyMap<string, number>): Times {
  return [...times].sort((a, b) => b[1] - a[1])
}

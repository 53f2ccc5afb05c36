/** Looks into another Node process of ours, one that was started with `--inspect=127.0.0.1:0`. */

export interface MemoryOfProcess {
  /** All that the process has of the host, in bytes. */
  readonly rss: number
  /** Objects of JavaScript, in bytes. */
  readonly heapUsed: number
  /** What native code keeps for objects and says so: buffers, sessions of HTTP/2; in bytes. */
  readonly external: number
}

/** Self time by function, in microseconds; a profile as V8 gives it. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface Answer {
  readonly id?: number
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** What was allocated while code was compiled and connections were made is gone after so many collections. */
const COLLECTIONS = 3

export class Inspector {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #lastId = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Answer))
    socket.addEventListener('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the process has gone'))
    })
  }

  /** `lines` are what the process wrote; Node tells the address there. */
  static async attach(lines: readonly string[]): Promise<Inspector> {
    const [url] = lines.flatMap((line) => /ws:\S+/.exec(line) ?? [])
    if (url === undefined) throw new Error('the process was not started with --inspect')
    const socket = new WebSocket(url)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', () => reject(new Error(`${url} does not answer`)))
    })
    return new Inspector(socket)
  }

  /** After garbage was collected. */
  async memory(): Promise<MemoryOfProcess> {
    for (let round = 0; round < COLLECTIONS; round++)
      await this.#send('HeapProfiler.collectGarbage')
    const { result } = (await this.#send('Runtime.evaluate', {
      expression: 'process.memoryUsage()',
      returnByValue: true,
    })) as { result: { value: MemoryOfProcess } }
    return result.value
  }

  async startProfile(): Promise<void> {
    await this.#send('Profiler.enable')
    await this.#send('Profiler.start')
  }

  async stopProfile(): Promise<CpuProfile> {
    const { profile } = (await this.#send('Profiler.stop')) as { profile: CpuProfile }
    return profile
  }

  close(): void {
    this.#socket.close()
  }

  async #send(method: string, params: object = {}): Promise<unknown> {
    this.#lastId += 1
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(this.#lastId, waiting)
    this.#socket.send(JSON.stringify({ id: this.#lastId, method, params }))
    return waiting.promise
  }

  #hear({ id, result, error }: Answer): void {
    if (id === undefined) return
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error.message))
  }
}

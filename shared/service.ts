/** Something long-lived. Both calls are idempotent; `stop` waits until nothing of it runs any more. */
export interface Service {
  start(): Promise<void>
  stop(): Promise<void>
}

/** Starts in the given order, stops in reverse; when one fails to start, those before it are stopped again. */
export function inOrder(services: readonly Service[]): Service {
  const started: Service[] = []
  const stopAll = async () => {
    for (let service = started.pop(); service !== undefined; service = started.pop()) {
      await service.stop()
    }
  }
  return {
    async start() {
      try {
        for (const service of services) {
          started.push(service)
          await service.start()
        }
      } catch (error) {
        await stopAll()
        throw error
      }
    },
    stop: stopAll,
  }
}

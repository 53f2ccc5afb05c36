import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

/** JSON lines on stderr: stdout belongs to data. Secrets never come here; what may hold one is redacted all the same. */
export function createLogger(options: {
  readonly name: string
  readonly level: string
  readonly destination?: DestinationStream
}): Logger {
  return pino(
    {
      name: options.name,
      level: options.level,
      redact: [
        'token',
        '*.token',
        'joinToken',
        '*.joinToken',
        'authorization',
        '*.authorization',
        'clusterKey',
        '*.clusterKey',
        'password',
      ],
    },
    options.destination ?? pino.destination({ fd: 2, sync: true }),
  )
}

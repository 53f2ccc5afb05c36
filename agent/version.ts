/** Release of the agent, as `Hello` tells it. */
export const AGENT_VERSION = '0.1.0'

/** Versions of the rules of the stream (proto/rota/agent/v1), not of the release: the newest first, and the one before. */
export const PROTOCOL_VERSIONS = [2, 1] as const

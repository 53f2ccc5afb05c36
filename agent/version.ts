/** Release of the agent, as `Hello` tells it. */
export const AGENT_VERSION = '0.1.0'

/** Version of the rules of the stream (proto/rota/agent/v1), not of the release. */
export const PROTOCOL_VERSION = 1

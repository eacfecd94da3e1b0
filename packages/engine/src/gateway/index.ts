/** The gateway: MCP in from agents, MCP out to tool servers, and nothing in between that the broker didn't decide. */
export { createGateway } from './create-gateway.ts'
export type { Gateway, GatewayRooms } from './create-gateway.ts'
export { GATEWAY_DEFAULTS } from './downstream/settings.ts'
export type { GatewaySettings } from './downstream/settings.ts'
export { bridgeStdio } from './downstream/stdio-bridge.ts'
export type { BridgeOptions } from './downstream/stdio-bridge.ts'
export { guardHosts, mountGateway } from './routes.ts'
export { openUpstreams } from './upstream/open-upstreams.ts'

/** What tests are made with: servers and agents to try Ephor against. Nothing here runs in production. */
export { httpServer, stdioServer } from './mcp/start-server.ts'
export type { HttpServer, ServerScript } from './mcp/start-server.ts'
export { callOf, definitionOf, openWorld, WORLD_TOOLS } from './world.ts'
export type { TestClock, World, WorldOptions, WorldTool } from './world.ts'
export { runConformance } from './mcp/conformance.ts'
export type { ConformanceReport, Revision } from './mcp/conformance.ts'
export { freePort, startEphor } from './start-ephor.ts'
export type { EphorProcess, StartOptions } from './start-ephor.ts'

/** What tests are made with: servers and agents to try Ephor against. Nothing here runs in production. */
export { httpServer, stdioServer } from './mcp/start-server.ts'
export type { HttpServer, ServerScript } from './mcp/start-server.ts'

/** Stands in front of a server for a client that can send no credential, and puts one on each request; nothing else is changed. */
import { createServer, request } from 'node:http'

export async function withCredential(url: string, credential: string): Promise<{ url: string; close: () => Promise<void> }> {
  const target = new URL(url)
  const server = createServer((incoming, response) => {
    const { method = 'GET', url: path = '/', headers } = incoming
    const outgoing = request(
      { host: target.hostname, port: target.port, method, path, headers: { ...headers, authorization: `Bearer ${credential}` } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        answer.pipe(response)
        answer.on('error', () => response.destroy())
      },
    )
    outgoing.on('error', () => response.destroy())
    response.on('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return {
    url: `http://127.0.0.1:${port}${target.pathname}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

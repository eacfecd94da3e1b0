/** The floor under every latency that crosses a thread or a process: how long this machine takes to wake the other side and be woken. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { closedLoop } from './measure.ts'
import type { Figures } from './measure.ts'

const DURATION = { warmupMs: 500, ms: 2000 }

/** A message to a thread and back. */
export async function threadFloor(): Promise<Figures> {
  const thread = new Worker(
    "const { parentPort } = require('node:worker_threads'); parentPort.on('message', (m) => parentPort.postMessage(m))",
    { eval: true },
  )
  let answered: () => void = () => {}
  thread.on('message', () => answered())
  const figures = await closedLoop(1, DURATION, () => {
    return new Promise<void>((resolve) => {
      answered = resolve
      thread.postMessage(1)
    })
  })
  await thread.terminate()
  return figures
}

const ECHO = `require('node:http').createServer((request, response) => request.resume().on('end', () => response.end('{}')))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port) })`

/** A POST to a bare HTTP server in another process and its answer. */
export async function httpFloor(): Promise<Figures> {
  const server = spawn(process.execPath, ['-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<string>((resolve) => createInterface({ input: server.stdout }).once('line', resolve))
  const figures = await closedLoop(1, DURATION, async () =>
    (await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: '{}' })).text(),
  )
  server.kill()
  return figures
}

/** Loaded into a server under measurement (`--expose-gc --import`): on SIGUSR2 it says what its main thread holds once garbage is collected. */
import { isMainThread } from 'node:worker_threads'

if (isMainThread)
  process.on('SIGUSR2', () => {
    globalThis.gc?.()
    process.stderr.write(`heap in use: ${process.memoryUsage().heapUsed}\n`)
  })

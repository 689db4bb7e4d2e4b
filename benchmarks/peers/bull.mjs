// BullMQ on Redis with undici, 64 at once; every finished job is kept, which is its durable record.
import { Queue, Worker } from 'bullmq'
import Redis from 'ioredis'
import { Pool } from 'undici'

const [target, count, redis] = process.argv.slice(2)
const number = Number(count)
const place = new URL(target)
const server = new URL(redis)
const connection = new Redis({ host: server.hostname, port: Number(server.port), db: 3, maxRetriesPerRequest: null })
const filling = 'Bà con nộp hồ sơ trực tuyến, không phải đến trụ sở. '.repeat(16)
const pool = new Pool(place.origin, { connections: 64 })
const queue = new Queue('bench', { connection })
await queue.waitUntilReady()
await queue.obliterate({ force: true })

const started = performance.now()
for (let from = 0; from < number; from += 500) {
  const some = Array.from({ length: Math.min(500, number - from) }, (_, n) => ({ name: 'deliver', data: { key: `bull${from + n}` } }))
  await queue.addBulk(some)
}
let left = number
await new Promise((resolve, reject) => {
  const worker = new Worker('bench', async job => {
    const body = JSON.stringify({ key: job.data.key, text: filling })
    const answer = await pool.request({ path: place.pathname, method: 'POST', headers: { 'content-type': 'application/json' }, body })
    return (await answer.body.json()).id
  }, { connection, concurrency: 64 })
  worker.on('completed', () => { if (--left === 0) resolve() })
  worker.on('failed', (_, error) => reject(error))
  worker.on('error', reject)
})
const took = (performance.now() - started) / 1000
const kept = await queue.getCompletedCount()
if (kept !== number) throw new Error(`${kept} of ${number} kept`)
console.log('rate', number / took)
process.exit(0)

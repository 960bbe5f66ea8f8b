// Driver for kafkajs: answers the commands of tests/clients/README.md, one JSON object per line.
//
// kafkajs' consumer reads in groups only: that is "subscribe". Where a command names an offset, this driver reads through
// kafkajs' own cluster and broker objects: the same requests, decoding and codecs, without the group around them.
'use strict'

const crypto = require('crypto')
const path = require('path')
const readline = require('readline')

const modules = path.join(process.env.MILENA_CLIENTS_DIR || path.join(__dirname, '../../../.clients'), 'node/node_modules')
const load = name => require(path.join(modules, name))

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = load('kafkajs')
const Cluster = load('kafkajs/src/cluster')
const filterAbortedMessages = load('kafkajs/src/consumer/filterAbortedMessages')
const defaultSocketFactory = load('kafkajs/src/network/socketFactory')
const { createLogger } = load('kafkajs/src/loggers')
const consoleLogger = load('kafkajs/src/loggers/console')
const snappy = load('kafkajs-snappy')
const lz4 = load('lz4js')
const xxhash = load('lz4js/xxh32')
const zstd = load('@bokuweb/zstd-wasm')

// kafkajs ships gzip; the others are plugged in, as its documentation tells users to.
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => withIndependentBlocks(Buffer.from(lz4.compress(encoder.buffer))),
  decompress: async buffer => lz4Decompressed(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer, 3)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
})

/**
 * lz4js does not claim that a frame's blocks are independent, and Kafka takes no other frames. A batch is at most 1 MB
 * here and lz4js' blocks are 4 MB, so that the one block is independent: the flag and the header's checksum say so.
 */
function withIndependentBlocks(frame) {
  frame[4] |= 0x20
  frame[6] = (xxhash.hash(0, frame, 4, 2) >> 8) & 0xff
  return frame
}

/** Reads an LZ4 frame block by block: lz4js' own reader of frames loses bytes where blocks have checksums. */
function lz4Decompressed(frame) {
  const flags = frame[4]
  const blockBytesMax = 1 << (8 + 2 * ((frame[5] >> 4) & 7))
  const out = []
  for (let at = flags & 0x08 ? 15 : 7; ; at += flags & 0x10 ? 4 : 0) {
    const head = frame.readUInt32LE(at)
    const size = head & 0x7fffffff
    at += 4
    if (size === 0) return Buffer.concat(out)
    if (head & 0x80000000) out.push(frame.subarray(at, at + size))
    else {
      const block = Buffer.alloc(blockBytesMax)
      out.push(block.subarray(0, lz4.decompressBlock(frame, block, at, size, 0)))
    }
    at += size
  }
}

const compression = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

const address = process.argv[2]
const retry = { initialRetryTime: 100, retries: 15, maxRetryTime: 2000 }
const kafka = new Kafka({ clientId: 'kafkajs', brokers: [address], logLevel: logLevel.ERROR, retry })
const producers = new Map()
const members = new Map()
const transactions = new Map()

class NotAvailable extends Error {}

const operations = {
  async hello() {
    return { version: load('kafkajs/package.json').version, codecs: Object.keys(compression) }
  },

  async create_topic(c) {
    const configEntries = Object.entries(c.config || {}).map(([name, value]) => ({ name, value }))
    const topics = [{ topic: c.topic, numPartitions: c.partitions, replicationFactor: 1, configEntries }]
    try {
      await withAdmin(admin => admin.createTopics({ topics, timeout: 20000 }))
    } catch (e) {
      // The topic is there; kafkajs did not wait long enough for its leader.
      if (e.type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw e
    }
    return {}
  },

  async delete_topic(c) {
    await withAdmin(admin => admin.deleteTopics({ topics: [c.topic], timeout: 20000 }))
    return {}
  },

  async describe_topic(c) {
    const { topics } = await withAdmin(admin => admin.fetchTopicMetadata({ topics: [c.topic] }))
    const partitions = topics[0].partitions.map(({ partitionId, leader, replicas, isr }) => ({ id: partitionId, leader, replicas, isr }))
    return { partitions }
  },

  async add_partitions(c) {
    await withAdmin(admin => admin.createPartitions({ topicPartitions: [{ topic: c.topic, count: c.partitions }] }))
    return {}
  },

  async describe_config(c) {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: c.topic }]
    const answer = await withAdmin(admin => admin.describeConfigs({ includeSynonyms: false, resources }))
    const entry = answer.resources[0].configEntries.find(({ configName }) => configName === c.name)
    return { value: entry.configValue }
  },

  async alter_config(c) {
    const configEntries = [{ name: c.name, value: c.value }]
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: c.topic, configEntries }]
    await withAdmin(admin => admin.alterConfigs({ validateOnly: false, resources }))
    return {}
  },

  async delete_records(c) {
    const partitions = [{ partition: c.partition, offset: String(c.before) }]
    await withAdmin(async admin => {
      await admin.fetchTopicOffsets(c.topic) // loads the topic's metadata, which deleteTopicRecords takes for granted
      await admin.deleteTopicRecords({ topic: c.topic, partitions })
    })
    return { low_watermark: null } // kafkajs does not hand it on
  },

  async offsets(c) {
    const listed = await withAdmin(admin => admin.fetchTopicOffsets(c.topic))
    const { low, high } = listed.find(({ partition }) => partition === c.partition)
    return { earliest: Number(low), latest: Number(high) }
  },

  async offset_for_time(c) {
    return { offset: await offsetForTime(c, c.timestamp) }
  },

  async produce(c) {
    let producer = transactions.get(c.producer) || producers.get(c.producer)
    const opened = !producer
    if (opened) {
      producer = kafka.producer({ idempotent: c.idempotent || false, maxInFlightRequests: 1, retry })
      await producer.connect()
      if (c.producer) producers.set(c.producer, producer)
    }
    try {
      const acks = { 0: 0, 1: 1, all: -1 }[c.acks || 'all']
      const offsets = []
      let count = 0
      for (const messages of chunks(recordsOf(c))) {
        const batch = { topic: c.topic, acks, compression: compression[c.codec || 'none'], messages }
        const answer = await whileRefused(() => producer.send(batch))
        count += messages.length
        if (acks !== 0) messages.forEach((_, i) => offsets.push(Number(answer[0].baseOffset) + i))
      }
      return { count, offsets: acks !== 0 && count <= 1000 ? offsets : null }
    } finally {
      if (opened && !c.producer) await producer.disconnect()
    }
  },

  async begin(c) {
    let producer = producers.get(c.producer)
    if (!producer) {
      const transactional = { transactionalId: c.transactional_id, transactionTimeout: c.transaction_timeout_ms }
      producer = kafka.producer({ ...transactional, idempotent: true, maxInFlightRequests: 1, retry })
      await producer.connect()
      producers.set(c.producer, producer)
    }
    transactions.set(c.producer, await producer.transaction())
    return {}
  },

  async send_offset(c) {
    const topics = [{ topic: c.topic, partitions: [{ partition: c.partition, offset: String(c.offset) }] }]
    await whileEnding(() => transactions.get(c.producer).sendOffsets({ consumerGroupId: c.group, topics }))
    return {}
  },

  async end(c) {
    const transaction = transactions.get(c.producer)
    await (c.commit ? transaction.commit() : transaction.abort())
    transactions.delete(c.producer)
    return {}
  },

  async consume(c) {
    let from = c.from
    if (from === 'earliest') from = (await operations.offsets(c)).earliest
    else if (typeof from === 'object') from = await offsetForTime(c, from.timestamp)
    return read(c, from)
  },

  async subscribe(c) {
    const consumer = kafka.consumer({ groupId: c.group, retry })
    const sink = new Sink(c)
    await consumer.connect()
    try {
      await consumer.subscribe({ topics: [c.topic], fromBeginning: true })
      let next
      await new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`read ${sink.taken} of ${c.count} records`)), (c.timeout || 60) * 1000)
        const eachMessage = async ({ message }) => {
          if (!sink.full()) next = String(Number(message.offset) + 1)
          sink.take(message)
          if (sink.full()) resolve()
        }
        consumer.run({ autoCommit: false, eachMessage }).catch(reject)
      })
      await consumer.commitOffsets([{ topic: c.topic, partition: c.partition, offset: next }])
    } finally {
      await consumer.disconnect()
    }
    return sink.answer()
  },

  async join_group(c) {
    const consumer = kafka.consumer({ groupId: c.group, sessionTimeout: 10000, retry })
    const member = { consumer, topic: c.topic, assigned: [], taken: [], next: new Map() }
    members.set(c.member, member)
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      member.assigned = payload.memberAssignment[c.topic] || []
    })
    consumer.on(consumer.events.REBALANCING, () => {
      member.assigned = []
    })
    await consumer.connect()
    await consumer.subscribe({ topic: c.topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        member.taken.push([partition, Number(message.offset)])
        member.next.set(partition, Number(message.offset) + 1)
      },
    })
    return {}
  },

  async poll(c) {
    const member = members.get(c.member)
    await new Promise(resolve => setTimeout(resolve, 1000))
    return { assigned: [...member.assigned].sort((a, b) => a - b), taken: member.taken.splice(0) }
  },

  async commit(c) {
    const { consumer, topic, next } = members.get(c.member)
    const read = [...next]
    next.clear() // a partition that another member has by the next time is not for this one to commit
    await consumer.commitOffsets(read.map(([partition, offset]) => ({ topic, partition, offset: String(offset) })))
    return {}
  },

  async leave(c) {
    await members.get(c.member).consumer.disconnect()
    members.delete(c.member)
    return {}
  },

  async tail(c) {
    const { latest } = await operations.offsets(c)
    const { count } = await operations.produce(c)
    return read({ topic: c.topic, partition: c.partition, count }, latest)
  },
}

/** Repeats what found no broker listening: kafkajs gives up on that at once, and nothing was sent. */
async function whileRefused(send) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send()
    } catch (e) {
      if (attempt > 300 || !String(e).includes('ECONNREFUSED')) throw e
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

/** Repeats what the end of the last transaction is in the way of: kafkajs does so with records, but not with offsets. */
async function whileEnding(send) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send()
    } catch (e) {
      if (attempt > 100 || e.type !== 'CONCURRENT_TRANSACTIONS') throw e
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

async function withAdmin(use) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

async function offsetForTime(c, timestamp) {
  const listed = await withAdmin(admin => admin.fetchTopicOffsetsByTimestamp(c.topic, timestamp))
  return Number(listed.find(({ partition }) => partition === c.partition).offset)
}

async function read(c, from) {
  const sink = new Sink(c)
  const cluster = new Cluster({
    logger: createLogger({ level: logLevel.ERROR, logCreator: consoleLogger }),
    socketFactory: defaultSocketFactory(),
    brokers: [address],
    clientId: 'kafkajs',
    connectionTimeout: 1000,
    enforceRequestTimeout: true,
    metadataMaxAge: 300000,
    allowAutoTopicCreation: false,
    retry,
  })
  await cluster.connect()
  try {
    await cluster.addTargetTopic(c.topic)
    const leaders = cluster.findLeaderForPartitions(c.topic, [c.partition])
    const broker = await cluster.findBroker({ nodeId: Object.keys(leaders)[0] })
    const deadline = Date.now() + (c.timeout || 60) * 1000
    for (let next = from; !sink.full(); ) {
      if (Date.now() > deadline) throw new Error(`read ${sink.taken} of ${c.count} records`)
      const partitions = [{ partition: c.partition, fetchOffset: String(next), maxBytes: 1 << 20 }]
      const isolationLevel = c.isolation === 'read_uncommitted' ? 0 : 1
      const fetched = await broker.fetch({ maxWaitTime: 500, isolationLevel, topics: [{ topic: c.topic, partitions }] })
      const { messages, abortedTransactions } = fetched.responses[0].partitions[0]
      const visible = filterAbortedMessages({ messages, abortedTransactions })
      for (const message of visible) {
        // a batch comes whole, also from before the offset asked for
        if (Number(message.offset) >= next && !message.isControlRecord) sink.take(message)
      }
      if (messages.length > 0) next = Math.max(next, Number(messages[messages.length - 1].offset) + 1)
    }
  } finally {
    await cluster.disconnect()
  }
  return sink.answer()
}

/** The records that a produce command names, as kafkajs takes them. */
function* recordsOf(c) {
  if (c.records) {
    for (const r of c.records) yield { key: unpack(r.key), value: unpack(r.value), headers: headersOf(r), partition: c.partition, timestamp: r.timestamp == null ? undefined : String(r.timestamp) }
  } else {
    const { count, size, seed } = c.generate
    for (let i = 0; i < count; i++) {
      const unit = `${seed}:${i}:`
      yield { key: String(i), value: unit.repeat(Math.floor(size / unit.length) + 1).slice(0, size), partition: c.partition }
    }
  }
}

/** kafkajs keeps headers in an object, so that equal names become a list and order holds between names only. */
function headersOf(r) {
  const headers = {}
  for (const [name, value] of r.headers || []) {
    if (value === null) throw new NotAvailable('kafkajs sends no null header value')
    if (name in headers) throw new NotAvailable('kafkajs groups headers of one name')
    headers[name] = unpack(value)
  }
  return headers
}

/** kafkajs sends what it is given as one batch, so the driver keeps each below the broker's limit. */
function* chunks(records) {
  let chunk = []
  let bytes = 0
  for (const r of records) {
    const size = (r.key ? r.key.length : 0) + (r.value ? r.value.length : 0) + 100
    if (chunk.length > 0 && (bytes + size > 1000000 || chunk.length >= 5000)) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(r)
    bytes += size
  }
  if (chunk.length > 0) yield chunk
}

/** Takes consumed records and answers in the form that the consume command asks for. */
class Sink {
  constructor(c) {
    this.wanted = c.count
    this.taken = 0
    this.listed = []
    this.sha256 = c.digest ? crypto.createHash('sha256') : null
  }

  full() {
    return this.taken >= this.wanted
  }

  take(message) {
    if (this.full()) return
    this.taken++
    if (this.sha256) {
      const size = part => (part === null ? -1 : part.length)
      this.sha256.update(`${message.offset},${size(message.key)},${size(message.value)}\n`)
      if (message.key) this.sha256.update(message.key)
      if (message.value) this.sha256.update(message.value)
    } else {
      const headers = Object.entries(message.headers).map(([name, value]) => [name, pack(value)])
      this.listed.push({ offset: Number(message.offset), timestamp: Number(message.timestamp), key: pack(message.key), value: pack(message.value), headers })
    }
  }

  answer() {
    return this.sha256 ? { count: this.taken, sha256: this.sha256.digest('hex') } : { records: this.listed }
  }
}

const pack = raw => (raw == null ? null : Buffer.from(raw).toString('base64'))
const unpack = text => (text == null ? null : Buffer.from(text, 'base64'))

async function main() {
  await zstd.init()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const c = JSON.parse(line)
    let answer
    try {
      if (!operations[c.op]) throw new NotAvailable(`no ${c.op} in this client`)
      answer = { ok: await operations[c.op](c) }
    } catch (e) {
      // every failure of the client is an answer; the runner judges it
      answer = e instanceof NotAvailable ? { na: e.message } : { error: String(e) }
      if (answer.error) console.error(e)
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  process.exit(0)
}

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
main()

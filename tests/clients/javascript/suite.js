// The AWS SDK for JavaScript v3 against a server: it speaks HTTP/2 only, with prior knowledge on a
// plain port and by ALPN under TLS, and opens a new connection for each request.
//
// usage: NODE_PATH=…/node_modules node suite.js --http URL [--https URL --ca FILE]
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { parseArgs } = require('node:util')
const kinesis = require('@aws-sdk/client-kinesis')
const { NodeHttp2Handler } = require('@smithy/node-http-handler')

// Nothing that works takes this long; only a hang gets here.
const HANG_MS = 60_000
const SHARD = 'shardId-000000000000'

let calls = 0

function clientOf(url, ca) {
  const client = new kinesis.KinesisClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
  })
  assert(client.config.requestHandler instanceof NodeHttp2Handler, 'the SDK speaks HTTP/2')
  return (name, input) => {
    calls += 1
    return client.send(new kinesis[`${name}Command`](input ?? {}))
  }
}

async function until(what, condition) {
  const deadline = Date.now() + HANG_MS
  while (!(await condition())) {
    assert(Date.now() < deadline, `not within ${HANG_MS} ms: ${what}`)
    await sleep(100)
  }
}

const text = (bytes) => Buffer.from(bytes).toString()

async function summary(send, StreamName) {
  return (await send('DescribeStreamSummary', { StreamName })).StreamDescriptionSummary
}

async function settled(send, name) {
  const active = async () => (await summary(send, name)).StreamStatus === 'ACTIVE'
  await until(`${name} is ACTIVE`, active)
}

async function put(send, StreamName, from, to) {
  const Records = []
  for (let n = from; n < to; n++) {
    Records.push({ Data: Buffer.from(String(n)), PartitionKey: `key-${n}` })
  }
  const answer = await send('PutRecords', { StreamName, Records })
  assert.equal(answer.FailedRecordCount, 0)
  return answer.Records
}

async function split(send, StreamName) {
  await send('SplitShard', { StreamName, ShardToSplit: SHARD, NewStartingHashKey: '7' })
}

// The proofs, in the order in which they run. Each gets `send` and the name of its own stream.
const proofs = [
  ['create, describe, list, tag, delete', async function life(send, name) {
    await send('CreateStream', { StreamName: name, ShardCount: 2, Tags: { team: 'a' } })
    await settled(send, name)
    const { StreamARN, OpenShardCount, StreamCreationTimestamp } = await summary(send, name)
    assert.equal(OpenShardCount, 2)
    assert(Math.abs(Date.now() - StreamCreationTimestamp.getTime()) < 60_000, 'created now')
    const { StreamNames } = await send('ListStreams')
    assert(StreamNames.includes(name))
    const { Shards } = await send('ListShards', { StreamARN })
    assert.deepEqual(Shards.map((s) => s.ShardId), [SHARD, 'shardId-000000000001'])
    await send('TagResource', { ResourceARN: StreamARN, Tags: { größe: 'π' } })
    const { Tags } = await send('ListTagsForResource', { ResourceARN: StreamARN })
    const tags = Object.fromEntries(Tags.map((t) => [t.Key, t.Value]))
    assert.deepEqual(tags, { team: 'a', größe: 'π' })
    await send('DeleteStream', { StreamARN })
    await until('it is gone', () => missing(send, name))
  }],

  ['records come back as they were put', async function thereAndBack(send, name) {
    await send('CreateStream', { StreamName: name, ShardCount: 1 })
    await settled(send, name)
    const Data = Buffer.from(Array.from({ length: 100_000 }, (_, n) => n % 251))
    const one = await send('PutRecord', { StreamName: name, Data, PartitionKey: '🦀' })
    const many = await put(send, name, 0, 100)
    const wanted = [one.SequenceNumber, ...many.map((r) => r.SequenceNumber)]
    const start = { StreamName: name, ShardId: SHARD, ShardIteratorType: 'TRIM_HORIZON' }
    let { ShardIterator } = await send('GetShardIterator', start)
    const records = []
    await until('all records are read', async () => {
      const answer = await send('GetRecords', { ShardIterator, Limit: 60 })
      records.push(...answer.Records)
      ShardIterator = answer.NextShardIterator
      return records.length >= wanted.length
    })
    assert.deepEqual(records.map((r) => r.SequenceNumber), wanted)
    assert(Buffer.from(records[0].Data).equals(Data))
    assert.equal(records[0].PartitionKey, '🦀')
    assert(records[0].ApproximateArrivalTimestamp instanceof Date)
    assert.deepEqual(records.slice(1).map((r) => text(r.Data)), many.map((_, n) => String(n)))
  }],

  ['many requests at a time, each on a connection of its own', async function many(send, name) {
    await send('CreateStream', { StreamName: name, ShardCount: 2 })
    await settled(send, name)
    const puts = Array.from({ length: 100 }, (_, n) =>
      send('PutRecord', { StreamName: name, Data: Buffer.from(String(n)), PartitionKey: `${n}` }))
    const numbers = (await Promise.all(puts)).map((answer) => answer.SequenceNumber)
    assert.equal(new Set(numbers).size, 100)
  }],

  ['errors are exceptions of their own classes', async function errors(send, name) {
    await assert.rejects(send('DescribeStream', { StreamName: name }), (error) => {
      assert(error instanceof kinesis.ResourceNotFoundException, error)
      assert.match(error.message, new RegExp(`Stream ${name} under account \\d{12} not found`))
      assert.equal(error.$metadata.httpStatusCode, 400)
      assert(error.$metadata.requestId)
      return true
    })
    await assert.rejects(send('GetRecords', { ShardIterator: 'nothing' }),
      (error) => error instanceof kinesis.InvalidArgumentException)
    await assert.rejects(send('DescribeStream', { StreamName: 'not/a/name' }),
      (error) => error.name === 'ValidationException')
  }],

  ['a subscription pushes, and ends with the shard', async function subscribe(send, name) {
    await send('CreateStream', { StreamName: name, ShardCount: 1 })
    await settled(send, name)
    const { StreamARN } = await summary(send, name)
    const { Consumer } = await send('RegisterStreamConsumer', { StreamARN, ConsumerName: 'js' })
    const { ConsumerARN } = Consumer
    await until('the consumer is ACTIVE', async () => {
      const answer = await send('DescribeStreamConsumer', { ConsumerARN })
      return answer.ConsumerDescription.ConsumerStatus === 'ACTIVE'
    })
    await put(send, name, 0, 20)
    const { EventStream } = await send('SubscribeToShard', {
      ConsumerARN, ShardId: SHARD, StartingPosition: { Type: 'TRIM_HORIZON' },
    })
    let next = 0
    let children = null
    for await (const { SubscribeToShardEvent: event } of EventStream) {
      assert.equal(children, null, 'nothing comes behind the end of the shard')
      for (const record of event.Records) {
        assert.equal(text(record.Data), String(next))
        next += 1
        if (next === 20) await put(send, name, 20, 40)
        if (next === 40) await split(send, name)
      }
      if (event.ChildShards?.length > 0) {
        assert.equal(event.ContinuationSequenceNumber, undefined)
        children = event.ChildShards
      } else {
        assert(event.ContinuationSequenceNumber, 'a position to go on from')
      }
    }
    assert.equal(next, 40)
    assert.deepEqual(children.map((c) => c.ParentShards), [[SHARD], [SHARD]])
  }],

  ['a subscription that is left takes nothing with it', async function leave(send, name) {
    await send('CreateStream', { StreamName: name, ShardCount: 1 })
    await settled(send, name)
    const { StreamARN } = await summary(send, name)
    const { Consumer } = await send('RegisterStreamConsumer', { StreamARN, ConsumerName: 'js' })
    const { ConsumerARN } = Consumer
    await until('the consumer is ACTIVE', async () => {
      const answer = await send('DescribeStreamConsumer', { ConsumerARN })
      return answer.ConsumerDescription.ConsumerStatus === 'ACTIVE'
    })
    const { EventStream } = await send('SubscribeToShard', {
      ConsumerARN, ShardId: SHARD, StartingPosition: { Type: 'LATEST' },
    })
    await put(send, name, 0, 1)
    for await (const { SubscribeToShardEvent: event } of EventStream) {
      if (event.Records.length > 0) break
    }
    await put(send, name, 1, 2)
  }],
]

async function missing(send, StreamName) {
  try {
    await send('DescribeStreamSummary', { StreamName })
    return false
  } catch (error) {
    assert(error instanceof kinesis.ResourceNotFoundException, error)
    return true
  }
}

async function remove(send, StreamName) {
  if (await missing(send, StreamName)) return
  await settled(send, StreamName)
  await send('DeleteStream', { StreamName, EnforceConsumerDeletion: true })
}

async function over(transport, send) {
  let failed = 0
  for (const [what, proof] of proofs) {
    const [start, name] = [Date.now(), `js-${transport}-${proof.name}`]
    try {
      await proof(send, name)
      console.log(`proved  ${transport}: ${what} (${Date.now() - start} ms)`)
    } catch (error) {
      failed += 1
      console.log(`FAILED  ${transport}: ${what}: ${error.stack}`)
    }
    await remove(send, name)
  }
  return failed
}

async function main() {
  const option = { type: 'string' }
  const { values } = parseArgs({ options: { http: option, https: option, ca: option } })
  const start = Date.now()
  let failed = 0
  if (values.http) failed += await over('h2c', clientOf(values.http))
  // The self-signed certificate is trusted by NODE_EXTRA_CA_CERTS, which node reads when it starts.
  if (values.https) {
    assert.equal(process.env.NODE_EXTRA_CA_CERTS, values.ca, 'set it to the file of --ca')
    assert(fs.existsSync(values.ca), `${values.ca} is not there`)
    failed += await over('tls', clientOf(values.https))
  }
  console.log(`javascript: ${calls} calls in ${((Date.now() - start) / 1000).toFixed(1)} s`)
  // The pools of the SDK would keep the process for a while.
  process.exit(failed === 0 ? 0 : 1)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})

// Where a mistake would let an audit pass that should fail.
'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, test } = require('node:test')
const { coverageOf, judge } = require('./coverage')
const fuzz = require('./fuzz')
const { audit } = require('./run')
const { compare, words } = require('./slither')

describe('the driver', () => {
  let work
  before(() => (work = fs.mkdtempSync(path.join(os.tmpdir(), 'luxxon-audit-'))))
  after(() => fs.rmSync(work, { recursive: true }))
  const check = (script, rest) => ({ shows: '', commands: () => [['node', ['-e', script]]], ...rest })

  test('fails a check whose command fails, and goes on with the next', async () => {
    const rows = await audit({ bad: check('console.log("why"); process.exit(3)'), good: check('console.log("7 of 7")', { result: /(.*)/g }) }, work)
    assert.deepEqual(rows.map(({ name, failed }) => [name, failed]), [['bad', true], ['good', false]])
    assert.match(fs.readFileSync(path.join(work, 'bad.log'), 'utf8'), /^why\n.*exit code 3/)
  })

  test('fails a check whose first command fails, whatever the second says', async () => {
    const commands = () => [['node', ['-e', 'process.exit(1)']], ['node', ['-e', '']]]
    assert.equal((await audit({ both: { commands } }, work))[0].failed, true)
  })

  test('fails a check whose program is not there', async () => {
    assert.equal((await audit({ none: { commands: () => [['no-such-program', []]] } }, work))[0].failed, true)
  })

  test('fails a check that ends well and says nothing', async () => {
    const [row] = await audit({ silent: check('', { result: /(\d+) passed/g }) }, work)
    assert.equal(row.failed, true)
  })

  test('says what it did not run', async () => {
    const [row] = await audit({ none: check('', { needs: 'no-such-program' }) }, work)
    assert.equal(row.result, 'not run: there is no no-such-program')
  })

  test('knows its checks by name', () => {
    const { status, stderr } = spawnSync('node', [path.join(__dirname, 'run.js'), 'slizer'], { encoding: 'utf8' })
    assert.equal(status, 1)
    assert.match(stderr, /slizer: expected some of forge,/)
  })
})

describe('coverage', () => {
  const report = (...lines) => `TN:\nSF:contracts/Other.sol\nDA:1,0\nend_of_record\nTN:\nSF:contracts/A.sol\n${lines.join('\n')}\nend_of_record\n`
  const faults = (...lines) => judge(coverageOf(report(...lines), 'contracts/A.sol')).faults

  test('is complete when each line and each branch was reached', () => {
    assert.deepEqual(faults('DA:3,9', 'BRDA:3,0,0,1', 'BRDA:3,0,1,8'), [])
  })

  test('is not, with a line without a hit, a branch without one, or a branch never looked at', () => {
    assert.match(faults('DA:3,9', 'DA:4,0', 'BRDA:3,0,0,1')[0], /line 4/)
    assert.match(faults('DA:3,9', 'BRDA:3,0,0,1', 'BRDA:3,0,1,0')[0], /branch of line 3/)
    assert.match(faults('DA:3,9', 'BRDA:3,0,0,-', 'BRDA:3,0,1,-')[0], /branch of line 3/)
  })

  test('of a file without figures is an error', () => {
    assert.throws(() => faults(), /knows no code/)
    assert.throws(() => coverageOf(report('DA:3,9'), 'contracts/B.sol'), /not in the coverage report/)
  })

  test('just below the whole is not rounded up to it', () => {
    const lines = Array.from({ length: 2000 }, (_, i) => `DA:${i},${i === 7 ? 0 : 1}`)
    assert.match(judge(coverageOf(report(...lines, 'BRDA:1,0,0,1'), 'contracts/A.sol')).summary, /^lines 99\.9 % \(1999\/2000\)/)
  })
})

describe('fuzzers', () => {
  const said = (...lines) => [...lines, ''].join('\n')

  test('are counted, and what they tried', () => {
    const output = said('test a::fuzz_b ... ok', 'test a::fuzz_c ... ok', 'test result: ok. 2 passed; 0 failed;')
    assert.deepEqual(fuzz.judge(output, 1_000), { faults: [], summary: '2,000 cases of 2 fuzzers, no finding' })
  })

  test('that find something are faults', () => {
    const output = said('test a::fuzz_b ... FAILED', 'test a::fuzz_c ... ok', 'test result: FAILED. 1 passed; 1 failed;')
    const { faults, summary } = fuzz.judge(output, 10)
    assert.equal(summary, '20 cases of 2 fuzzers, 1 with a finding')
    assert.match(faults[0], /^a::fuzz_b found/)
  })

  test('that did not run, or are none, are an error', () => {
    assert.throws(() => fuzz.judge(said('running 2 tests', 'test a::fuzz_b ... ok'), 10), /did not run to their end/)
    assert.throws(() => fuzz.judge(said('test result: ok. 0 passed; 0 failed;'), 10), /no test has a name/)
    assert.throws(() => fuzz.judge(said('test result: FAILED. 1 passed; 0 failed;'), 10), /none of them says so/)
  })
})

describe('slither', () => {
  const finding = line => ({ check: 'timestamp', description: `A.f() (contracts/A.sol#${line}-9) uses it:\n\t- a < b (contracts/A.sol#${line})\n` })

  test('findings keep their name when lines move', () => {
    assert.equal(words(finding(3)), 'timestamp: A.f() uses it: - a < b')
    assert.equal(words(finding(3)), words(finding(8)))
  })

  test('a finding without an answer is a fault, and so is an answer without a finding', () => {
    const triage = [{ why: 'w', findings: ['known', 'gone'] }]
    assert.deepEqual(compare(['known'], [{ why: 'w', findings: ['known'] }]), [])
    const faults = compare(['known', 'new'], triage)
    assert.equal(faults.length, 2)
    assert.match(faults[0], /does not answer.*: new/)
    assert.match(faults[1], /any more: gone/)
  })
})

// Where a mistake would let a run lie: mutants that are not made, tests that do not meet them, survivors nobody sees.
'use strict'

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, test } = require('node:test')
const { creationCode, project, readSource, syntaxTree } = require('./compile')
const { allMutants, testMutants } = require('./engine')
const { TIMEOUT } = require('./forge')
const { apply, mutants } = require('./mutants')
const report = require('./report')
const rust = require('./rust')

const ROOT = path.resolve(__dirname, '../..')
const forge = execFileSync('node', [path.join(ROOT, 'script', 'tool.js'), 'forge'], { encoding: 'utf8' }).trim()

const COUNTER = `// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev µUSDC; x == y, not code
contract Counter {
    uint256 public immutable MAX;
    uint256 public count; // µ: two bytes
    event Added(address indexed who, address indexed whom, uint256 amount);
    error TooMuch(uint256 value, uint256 max);

    constructor(uint256 max) {
        require(max != 0, TooMuch(max, 0));
        MAX = max;
    }

    modifier counted() {
        _;
    }

    function add(address whom, uint256 amount) external counted {
        string memory text = unicode"µ a < b";
        require(amount <= MAX && bytes(text).length > 0, TooMuch(amount, MAX));
        count += amount;
        emit Added(msg.sender, whom, amount);
    }

    function isFull() external view returns (bool) {
        if (count >= MAX) return true;
        return false;
    }
}
`

const test_of = body => `// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;
import {Counter} from "contracts/Counter.sol";
contract CounterTest {
    bool public constant IS_TEST = true;
    Counter private counter;
    function setUp() public { counter = new Counter(5); }
    function test_Counter() public { ${body} }
}
`

/** A project as this one is laid out, with the contract above. */
function makeProject(root, body) {
  for (const part of ['foundry.toml', 'package.json', 'script/solc.js', 'script/tool.js']) {
    fs.cpSync(path.join(ROOT, part), path.join(root, part))
  }
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(root, 'node_modules'))
  fs.mkdirSync(path.join(root, 'contracts'))
  fs.mkdirSync(path.join(root, 'tests/forge'), { recursive: true })
  fs.writeFileSync(path.join(root, 'contracts/Counter.sol'), COUNTER)
  fs.writeFileSync(path.join(root, 'tests/forge/Counter.t.sol'), test_of(body))
  return project(root, 'contracts/Counter.sol', forge)
}

const folders = []
function folder() {
  folders.push(fs.mkdtempSync(path.join(os.tmpdir(), 'luxxon-mutation-')))
  return folders.at(-1)
}
after(() => folders.forEach(each => fs.rmSync(each, { recursive: true, force: true })))

async function runAll(body, only) {
  const root = folder()
  const counter = makeProject(root, body)
  const chosen = allMutants(counter).filter(({ fingerprint }) => only === undefined || fingerprint.includes(only))
  return testMutants({ project: counter, forge, work: path.join(root, 'work'), chosen, progress: () => {} })
}

describe('the mutants of a source', () => {
  let counter, source, all
  before(() => {
    counter = makeProject(folder(), '')
    source = readSource(counter)
    all = mutants(source, syntaxTree(counter, source))
  })
  const changes = operator => all.filter(mutant => mutant.operator === operator).map(({ before, after }) => `${before} → ${after}`)

  test('are made by every operator that has a place in it', () => {
    assert.deepEqual(changes('relation'), ['!= → ==', '<= → <', '<= → >', '> → >=', '> → <=', '>= → >', '>= → <'])
    assert.deepEqual(changes('logic'), ['&& → ||'])
    assert.deepEqual(changes('operand').length, 2)
    assert.deepEqual(changes('assignment'), ['+= → -=', '+= → ='])
    assert.deepEqual(changes('modifier'), ['counted → '])
    assert.deepEqual(changes('swap').sort(), ['amount, MAX → MAX, amount', 'max, 0 → 0, max', 'msg.sender, whom → whom, msg.sender'])
    assert.deepEqual(changes('removal'), [
      'require(max != 0, TooMuch(max, 0)); → {}',
      'MAX = max; → {}',
      'require(amount <= MAX && bytes(text).length > 0, TooMuch(amount, MAX)); → {}',
      'count += amount; → {}',
      'emit Added(msg.sender, whom, amount); → {}',
      'return true; → {}',
      'return false; → {}'
    ])
    assert.ok(changes('condition').includes('count >= MAX → false'))
    assert.ok(changes('constant').includes('0 → 1'))
  })

  test('leave comments and strings alone, and replace what they say after letters of two bytes', () => {
    const start = Buffer.from(source).indexOf('contract Counter')
    assert.ok(all.every(mutant => mutant.start > start))
    assert.ok(all.every(mutant => !mutant.before.startsWith('"')))
    for (const mutant of all) {
      const changed = Buffer.from(source).subarray(mutant.start, mutant.end).toString()
      assert.equal(changed, mutant.before)
      assert.notEqual(apply(source, mutant), source)
    }
  })

  test('have ids and fingerprints of their own, and the fingerprints outlive a change of lines', () => {
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length)
    assert.equal(new Set(all.map(({ fingerprint }) => fingerprint)).size, all.length)
    const moved = source.replace('contract Counter', '\n\n// moved\ncontract Counter')
    const again = mutants(moved, syntaxTree(counter, moved))
    assert.deepEqual(again.map(({ fingerprint }) => fingerprint), all.map(({ fingerprint }) => fingerprint))
    assert.notDeepEqual(again.map(({ id }) => id), all.map(({ id }) => id))
  })

  test('compile with the settings of foundry.toml, to what forge compiles', () => {
    execFileSync(forge, ['build'], { cwd: counter.root, stdio: 'ignore' })
    const artifact = JSON.parse(fs.readFileSync(path.join(counter.root, 'out/Counter.sol/Counter.json'), 'utf8'))
    assert.equal(creationCode(counter, source), artifact.bytecode.object)
  })
})

describe('the verdicts', () => {
  const good = `
    counter.add(address(7), 5);
    require(counter.count() == 5 && counter.isFull());`

  test('a suite that asserts nothing kills nothing', async () => {
    const { results } = await runAll('counter.count();', 'count += amount')
    assert.ok(results.length >= 3)
    assert.deepEqual([...new Set(results.map(({ killedBy }) => killedBy))], [null])
  })

  test('a suite that asserts kills by the test that fails, mutants of the constructor too', async () => {
    const { results, same } = await runAll(good)
    const verdict = part => results.find(({ fingerprint }) => fingerprint.includes(part)).killedBy
    assert.equal(verdict('→ count -= amount'), 'CounterTest.test_Counter')
    assert.equal(verdict('→ require(max == 0'), 'CounterTest.setUp')
    assert.equal(verdict('if (count > MAX) return true'), 'CounterTest.test_Counter')
    assert.equal(verdict('isFull: return false; → return true'), null) // it never asks an empty counter
    assert.ok(same > 0) // `return false` and `return` of nothing are the same code
  })

  test('none is given for tests that fail by themselves', async () => {
    await assert.rejects(runAll('require(counter.count() == 1);', 'count += amount'), /the contract as it is fails: CounterTest.test_Counter/)
  })

  test('none is given for tests that do not touch the contract', async () => {
    const root = folder()
    const counter = makeProject(root, '')
    const file = path.join(root, 'tests/forge/Counter.t.sol')
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('counter = new Counter(5);', ''))
    const run = testMutants({ project: counter, forge, work: path.join(root, 'work'), chosen: [], progress: () => {} })
    await assert.rejects(run, /no test fails without the contract/)
  })
})

describe('the report', () => {
  const mutant = (fingerprint, killedBy) => ({ id: `1:1 ${fingerprint}`, fingerprint, killedBy, operator: 'removal', scope: 'f', from: 'a', to: 'b' })
  const outcome = { results: [mutant('known', null), mutant('new', null), mutant('dead', 'T.test')], invalid: 0, same: 0 }
  const explained = report.explanations([{ why: 'the same', survivors: ['known', 'dead', 'gone'] }])

  test('names survivors without an explanation, and explanations without a survivor', () => {
    const faults = report.faults(outcome, explained, true)
    assert.equal(faults.length, 3)
    assert.match(faults[0], /1:1 new: no test fails/)
    assert.match(faults[1], /T\.test kills: dead/)
    assert.match(faults[2], /not a mutant any more: gone/)
  })

  test('of a part of the mutants does not miss the others', () => {
    assert.equal(report.faults(outcome, explained, false).length, 2)
  })

  test('counts a timeout as killed, and says so', () => {
    const late = { ...outcome, results: [...outcome.results, mutant('loop', TIMEOUT)] }
    assert.match(report.text(late, explained, 'F.sol'), /all +4 +1 +1 +2\n/)
    assert.match(report.text(late, explained, 'F.sol'), /score 50\.0 %: 2 of 4 mutants killed; 1 of 2 survivors explained/)
  })

  test('refuses an explanation given twice', () => {
    assert.throws(() => report.explanations([{ why: 'a', survivors: ['x'] }, { why: 'b', survivors: ['x'] }]), /twice: x/)
  })
})

describe('the verdicts of cargo-mutants', () => {
  const mutant = (place, summary) => ({ scenario: { Mutant: { name: `src/a.rs:${place}: replace + with - in f` } }, summary })
  const outcomes = [
    { scenario: 'Baseline', summary: 'Success' },
    mutant('3:9', 'CaughtMutant'),
    mutant('3:12', 'Unviable'),
    mutant('4:9', 'MissedMutant'),
    mutant('5:9', 'Timeout')
  ]

  test('have names that last when lines move, each its own', () => {
    const { results, invalid } = rust.verdicts({ outcomes })
    assert.deepEqual(results.map(({ fingerprint }) => fingerprint), ['', ' (3)', ' (4)'].map(end => `src/a.rs: replace + with - in f${end}`))
    assert.deepEqual(results.map(({ killedBy }) => killedBy), ['a test', null, TIMEOUT])
    assert.equal(results[1].id, 'src/a.rs:4:9')
    assert.equal(invalid, 1)
  })

  test('are missed where there is none', () => {
    assert.throws(() => rust.verdicts({ outcomes: [mutant('3:9', 'Failure')] }), /src\/a\.rs:3:9: cargo-mutants says Failure/)
  })
})

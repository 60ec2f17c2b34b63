// Patches that still apply, and a runner that cannot lie.
'use strict'

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, test } = require('node:test')
const { ROOT } = require('../audit/tools')
const { Tree, check, faults } = require('./faults')
const { failedTest, historiesUntil } = require('./run')

describe('each fault', () => {
  for (const fault of faults()) {
    test(`${fault.name} applies, changes the product alone, and says what it breaks`, () => {
      check(ROOT, fault)
      assert.match(fault.says, /^[A-Z].*\.$/s)
      assert.notEqual(fault.files.length, 0)
      for (const file of fault.files) assert.match(file, /^(contracts\/Luxxon|indexer\/src\/(?!.*test))/)
    })
  }

  test('they are a dozen at least', () => assert.ok(faults().length >= 12))
})

describe('a tree', () => {
  let root
  let tree
  const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' })
  const write = (name, text) => fs.writeFileSync(path.join(root, name), text)
  const read = name => fs.readFileSync(path.join(root, name), 'utf8')
  before(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'luxxon-seeded-bugs-'))
    for (const folder of ['contracts', 'bindings/artifacts', 'faults']) fs.mkdirSync(path.join(root, folder), { recursive: true })
    write('contracts/A.sol', 'one\n')
    write('bindings/artifacts/A.json', '1\n')
    git('init', '--quiet')
    git('add', '.')
    git('-c', 'user.name=t', '-c', 'user.email=t@t', 'commit', '--quiet', '--message', 'first')
    write('contracts/A.sol', 'two\n')
    const patch = git('diff')
    git('checkout', '--quiet', '.')
    write('faults/two.patch', `It says two.\n${patch}`)
    tree = new Tree(root)
  })
  after(() => fs.rmSync(root, { recursive: true }))

  const fault = () => faults(path.join(root, 'faults'))[0]

  test('has a fault, and then none, with the artifacts that were there before', () => {
    const status = tree.status()
    tree.apply(fault())
    assert.equal(read('contracts/A.sol'), 'two\n')
    write('bindings/artifacts/A.json', '2\n')
    tree.restore()
    assert.equal(read('contracts/A.sol'), 'one\n')
    assert.equal(read('bindings/artifacts/A.json'), '1\n')
    assert.equal(tree.status(), status)
  })

  test('with changes in the files of a fault, or in the artifacts, is refused', () => {
    tree.requireUnchanged([fault()])
    for (const name of ['contracts/A.sol', 'bindings/artifacts/A.json']) {
      const text = read(name)
      write(name, 'mine\n')
      assert.throws(() => tree.requireUnchanged([fault()]), new RegExp(path.basename(name)))
      write(name, text)
    }
  })

  test('that a fault does not fit is not changed', () => {
    write('contracts/A.sol', 'three\n')
    assert.throws(() => check(root, fault()))
    assert.throws(() => tree.apply(fault()))
    tree.restore()
    assert.equal(read('contracts/A.sol'), 'three\n')
    write('contracts/A.sol', 'one\n')
  })
})

describe('what failed', () => {
  test('is the first test that says so, of Rust or of forge', () => {
    assert.equal(failedTest('test a::b ... ok\ntest a::c ... FAILED\ntest a::d ... FAILED\n'), 'a::c')
    assert.equal(failedTest('[PASS] test_A() (gas: 1)\n[FAIL: 1 != 2; counterexample: x] test_B(uint256) (runs: 3)\n'), 'test_B')
  })

  test('is nothing where no test says so: a build, or a runner that was killed', () => {
    assert.equal(failedTest('error: could not compile\n'), undefined)
    assert.equal(failedTest('test a::b ... ok\nerror: test failed, to rerun pass `--lib`\n'), undefined)
  })

  test('is a history with its number', () => {
    assert.equal(historiesUntil('x\nseed 7 differs in step 3, and is made shorter: y\n'), '7')
    assert.equal(historiesUntil('test a ... FAILED\n'), undefined)
  })
})

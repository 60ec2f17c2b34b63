#!/usr/bin/env node
// `make mutation`: changes the contract in one place at a time and sees whether a test fails. Exit code 1 when a mutant
// survives that survivors.json does not explain, or when an explained one is killed or is no longer there.
//   --only NAME    mutants of one function only (`contract` for what is outside of functions)
//   --sample N     N of the mutants, always the same ones
//   --json         print the result as JSON
//   --list         print the mutants, and run nothing
'use strict'

const { execFileSync, spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { FILE, ROOT, creationCode, read, syntaxTree } = require('./compile')
const { apply, mutants } = require('./mutants')
const { shim } = require('./shim')

const SURVIVORS = path.join(__dirname, 'survivors.json')
const WORK = path.join(ROOT, 'target', 'mutation')
const WORKERS = Math.min(os.availableParallelism(), 8)
/** A mutant may loop for ever; the tests themselves take seconds. */
const LIMIT_MS = 120_000
const QUIET_MS = 30_000

// ------------------------------------------------------------------------------------------------------------- mutants

/** What a mutant does, in words that stay true when other lines change. */
function describe(source, mutant) {
  const bytes = Buffer.from(source, 'utf8')
  const first = bytes.lastIndexOf('\n', mutant.start - 1) + 1
  const end = bytes.indexOf('\n', mutant.end)
  const words = text => text.replace(/\s+/g, ' ').trim()
  const cut = (a, b) => bytes.subarray(a, b).toString('utf8')
  return {
    scope: mutant.scope,
    from: words(cut(first, end)),
    to: words(cut(first, mutant.start) + mutant.after + cut(mutant.end, end))
  }
}

const key = ({ scope, from, to }) => `${scope}\n${from}\n${to}`

/** Every mutant whose code is new: not the original's, and not that of one before it. Compiles each. */
function prepare(source, chosen, report) {
  const seen = new Set([creationCode(source)])
  const counts = { invalid: 0, same: 0 }
  const ready = []
  chosen.forEach((mutant, i) => {
    report('compiling', i, chosen.length)
    const code = creationCode(apply(source, mutant))
    if (code === null) counts.invalid++
    else if (seen.has(code)) counts.same++
    else {
      seen.add(code)
      ready.push({ ...mutant, ...describe(source, mutant), code })
    }
  })
  return { ready, counts }
}

// --------------------------------------------------------------------------------------------------------------- tests

/** A tree of its own for each worker, with the shim in the contract's place. */
function makeTree(folder, source) {
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
  for (const part of ['contracts', 'tests/forge', 'foundry.toml', 'package.json', 'script/solc.js', 'script/tool.js']) {
    fs.cpSync(path.join(ROOT, part), path.join(folder, part), { recursive: true })
  }
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
  fs.writeFileSync(path.join(folder, FILE), shim(source, syntaxTree(source)))
}

/** Runs the tests against `code`: which test failed, or null if none did. */
function test(forge, folder, code) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, FOUNDRY_PROFILE: 'mutation', MUTANT: code }
    const child = spawn(forge, ['test', '--fail-fast'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let out = ''
    child.stdout.on('data', data => (out += data))
    child.stderr.on('data', data => (out += data))
    let late = false
    const timer = setTimeout(() => {
      late = true
      process.kill(-child.pid, 'SIGKILL')
    }, LIMIT_MS)
    running.add(child)
    child.on('error', reject)
    child.on('close', status => {
      clearTimeout(timer)
      running.delete(child)
      if (late) return resolve('no test ended in time')
      if (status === 0) return resolve(null)
      const failed = /^\[FAIL[^]*?\s(\w+)\([^)]*\) \((?:runs|gas)/m.exec(out)
      if (failed) return resolve(failed[1])
      reject(new Error(`forge test failed without a failing test:\n${out.slice(-2000)}`))
    })
  })
}

const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const child of running) process.kill(-child.pid, 'SIGKILL')
    process.exit(1)
  })
}

async function testAll(source, ready, report) {
  const forge = execFileSync('node', [path.join(ROOT, 'script', 'tool.js'), 'forge'], { encoding: 'utf8' }).trim()
  const original = creationCode(source)
  const queue = [...ready]
  const results = []
  async function worker(number) {
    const folder = path.join(WORK, `worker-${number}`)
    makeTree(folder, source)
    const failed = await test(forge, folder, original)
    if (failed) throw new Error(`${failed} fails without any mutant`)
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      report('testing', results.length, ready.length)
      results.push({ ...mutant, killedBy: await test(forge, folder, mutant.code) })
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, (_, number) => worker(number)))
  return results.sort((a, b) => a.start - b.start || a.end - b.end)
}

// -------------------------------------------------------------------------------------------------------------- report

/** Progress: a line that is written over on a terminal, one line in half a minute elsewhere. */
function reporter() {
  let last = 0
  return (what, done, all) => {
    const now = Date.now()
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[Kmutation: ${what} ${done} of ${all}`)
    else if (now - last > QUIET_MS) {
      last = now
      console.error(`mutation: ${what} ${done} of ${all}`)
    }
  }
}

function print(results, counts, explained) {
  const operators = [...new Set(results.map(({ operator }) => operator))].sort()
  const row = (name, part) => {
    const survived = part.filter(({ killedBy }) => killedBy === null).length
    console.log(`${name.padEnd(12)}${String(part.length).padStart(8)}${String(part.length - survived).padStart(8)}${String(survived).padStart(10)}`)
  }
  console.log(`${'operator'.padEnd(12)}${'mutants'.padStart(8)}${'killed'.padStart(8)}${'survived'.padStart(10)}`)
  for (const name of operators) row(name, results.filter(({ operator }) => operator === name))
  row('all', results)
  console.log(`${counts.invalid} more do not compile, ${counts.same} more compile to code that was there before.`)
  for (const mutant of results.filter(({ killedBy }) => killedBy === null)) {
    console.log(`\nsurvived: ${FILE}:${mutant.line} ${mutant.scope} (${mutant.operator})`)
    console.log(`  - ${mutant.from}\n  + ${mutant.to}`)
    const why = explained.get(key(mutant))
    if (why) console.log(`  ${why}`)
  }
  const survived = results.filter(({ killedBy }) => killedBy === null)
  const accounted = survived.filter(mutant => explained.has(key(mutant))).length
  const score = (((results.length - survived.length) / results.length) * 100).toFixed(1)
  console.log(`\nscore ${score} %: ${results.length - survived.length} of ${results.length} killed, ${accounted} of ${survived.length} survivors explained`)
}

/** What is wrong with the run: survivors without an explanation, explanations without a survivor. */
function faults(results, explained, whole) {
  const survived = results.filter(({ killedBy }) => killedBy === null)
  const found = survived
    .filter(mutant => !explained.has(key(mutant)))
    .map(({ line, from, to }) => `line ${line}: no test fails, and tests/mutation/survivors.json has no word of it: ${from} → ${to}`)
  const names = new Set(survived.map(key))
  const stale = whole ? [...explained.keys()].filter(name => !names.has(name)) : []
  return found.concat(stale.map(name => `tests/mutation/survivors.json explains what did not survive: ${name.replaceAll('\n', ' | ')}`))
}

// ---------------------------------------------------------------------------------------------------------------- main

async function main() {
  const options = { only: { type: 'string' }, sample: { type: 'string' }, json: { type: 'boolean' }, list: { type: 'boolean' } }
  const { values: args } = parseArgs({ options })
  const source = read(FILE)
  let chosen = mutants(source, syntaxTree(source))
  if (args.only) chosen = chosen.filter(({ scope }) => scope === args.only)
  if (args.sample) {
    const step = Math.max(1, Math.floor(chosen.length / positive(args.sample)))
    chosen = chosen.filter((_, i) => i % step === 0)
  }
  if (chosen.length === 0) throw new Error(`no mutants of ${args.only}: expected the name of a function in ${FILE}`)
  if (args.list) {
    for (const mutant of chosen) console.log(`${mutant.line}: ${mutant.operator}: ${mutant.before} → ${mutant.after || 'nothing'}`)
    return 0
  }

  const list = JSON.parse(fs.readFileSync(SURVIVORS, 'utf8'))
  const explained = new Map(list.map(entry => [key(entry), entry.why]))
  const report = reporter()
  const { ready, counts } = prepare(source, chosen, report)
  const results = await testAll(source, ready, report)
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  if (args.json) console.log(JSON.stringify(results.map(({ code, ...rest }) => rest), null, 2))
  else print(results, counts, explained)
  const wrong = faults(results, explained, !args.only && !args.sample)
  for (const fault of wrong) console.error(`mutation: ${fault}`)
  return wrong.length === 0 ? 0 : 1
}

function positive(text) {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--sample ${text}: expected a positive number`)
  return Number(text)
}

main().then(
  code => (process.exitCode = code),
  error => {
    for (const child of running) process.kill(-child.pid, 'SIGKILL')
    console.error(`mutation: ${error.message}`)
    process.exit(1)
  }
)

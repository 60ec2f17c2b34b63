#!/usr/bin/env node
// A `solc` for forge and foundry-compilers: `--version` and `--standard-json` (input on stdin).
// They need an executable that takes solc's command line, and npm carries the compiler only as wasm, whose own front,
// solcjs, stops at `--allow-paths`. The callers put every source into the JSON, so all other flags can be ignored.
'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { ROOT, onPath, pinned, versionText } = require('./tool.js')

const VERSION = pinned('solc')
const MODULE = path.join(ROOT, 'node_modules', 'solc')
const REMEMBERED = path.join(ROOT, 'node_modules', '.cache', `solc-${VERSION}.version`)

/** A native compiler of the pinned release gives the same bytecode several times faster. */
function nativeSolc() {
  const release = `Version: ${VERSION}+commit.` // a nightly reads `0.8.37-nightly…`, and is not the pinned compiler
  return onPath('solc').find(file => versionText(file).includes(release))
}

/** Loading the wasm to ask for its version costs 0.35 s, once for each run of forge: so the answer is kept. */
function wasmVersion() {
  try {
    return fs.readFileSync(REMEMBERED, 'utf8')
  } catch {
    const version = require(MODULE).version()
    try {
      fs.mkdirSync(path.dirname(REMEMBERED), { recursive: true })
      fs.writeFileSync(`${REMEMBERED}.${process.pid}`, version)
      fs.renameSync(`${REMEMBERED}.${process.pid}`, REMEMBERED) // two builds may run at once: never a half-written file
    } catch {
      // A read-only checkout asks again next time.
    }
    return version
  }
}

async function main(args) {
  const native = nativeSolc()
  if (native) {
    const { status, error } = spawnSync(native, args, { stdio: 'inherit' })
    if (error) throw error
    process.exitCode = status ?? 1
    return
  }

  if (!fs.existsSync(MODULE) || require(path.join(MODULE, 'package.json')).version !== VERSION) {
    throw new Error(`solc ${VERSION} is neither on PATH nor in node_modules: run \`npm ci\``)
  }
  if (args.includes('--version')) {
    console.log(`solc, the solidity compiler commandline interface\nVersion: ${wasmVersion()}`)
  } else if (args.includes('--standard-json')) {
    const input = []
    for await (const chunk of process.stdin) input.push(chunk)
    process.stdout.write(require(MODULE).compile(Buffer.concat(input).toString('utf8')))
  } else {
    throw new Error('usage: solc.js --version | --standard-json')
  }
}

main(process.argv.slice(2)).catch(error => {
  console.error(error.message)
  process.exitCode = 1
})

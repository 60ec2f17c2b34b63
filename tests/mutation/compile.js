// Compiles the contract in memory, a mutant in less than a second, in as many threads as asked for.
'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')

/** What is mutated: `file` of the project in `root`, compiled with the settings of its foundry.toml. */
function project(root, file, forge) {
  const options = { cwd: root, encoding: 'utf8', env: { ...process.env, FOUNDRY_PROFILE: 'default' } }
  const config = JSON.parse(execFileSync(forge, ['config', '--json'], options))
  const settings = {
    remappings: config.remappings,
    optimizer: { enabled: config.optimizer, runs: config.optimizer_runs },
    evmVersion: config.evm_version,
    viaIR: config.via_ir,
    metadata: { bytecodeHash: config.bytecode_hash }
  }
  return { root, file, contract: path.basename(file, '.sol'), settings }
}

const readSource = ({ root, file }) => fs.readFileSync(path.join(root, file), 'utf8')

function run({ root, file, settings }, source, outputSelection) {
  const solc = require('solc') // half a second, for those who compile
  const input = { language: 'Solidity', sources: { [file]: { content: source } }, settings: { ...settings, outputSelection } }
  const load = imported => ({ contents: fs.readFileSync(path.join(root, imported), 'utf8') })
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: load }))
  const errors = (output.errors ?? []).filter(({ severity }) => severity === 'error')
  return errors.length > 0 ? { errors: errors.map(({ formattedMessage }) => formattedMessage) } : { output }
}

/** The creation code of `source` as 0x…, or null when it does not compile. */
function creationCode(project, source) {
  const { file, contract } = project
  const { output } = run(project, source, { [file]: { [contract]: ['evm.bytecode.object'] } })
  return output ? `0x${output.contracts[file][contract].evm.bytecode.object}` : null
}

/** The syntax tree of `source`, which has to compile. */
function syntaxTree(project, source) {
  const { output, errors } = run(project, source, { [project.file]: { '': ['ast'] } })
  if (errors) throw new Error(`${project.file} does not compile:\n${errors.join('\n')}`)
  return output.sources[project.file].ast
}

/** The creation codes of `sources`, in their order. */
async function creationCodes(project, sources, threads, progress) {
  const codes = new Array(sources.length)
  let next = 0
  let done = 0
  const thread = () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(__filename, { workerData: project })
      const give = () => {
        if (next < sources.length) worker.postMessage({ index: next, source: sources[next++] })
        else resolve(worker.terminate())
      }
      worker.on('message', ({ index, code }) => {
        codes[index] = code
        progress(++done, sources.length)
        give()
      })
      worker.on('error', reject)
      give()
    })
  await Promise.all(Array.from({ length: Math.min(threads, sources.length) }, thread))
  return codes
}

if (!isMainThread && parentPort) {
  parentPort.on('message', ({ index, source }) => parentPort.postMessage({ index, code: creationCode(workerData, source) }))
}

module.exports = { creationCode, creationCodes, project, readSource, syntaxTree }

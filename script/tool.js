#!/usr/bin/env node
// Prints the path of the native forge, anvil or cast to use: `node script/tool.js forge`.
// The launchers in node_modules/.bin start node before the tool; a script that calls the tool a hundred times pays for
// it a hundred times, and killing the launcher can leave the tool running. So the native binary is found once, here.
'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.resolve(__dirname, '..')
const TOOLS = ['forge', 'anvil', 'cast']
const NPM_ARCH = { x64: 'amd64', arm64: 'arm64' }

/** The exact version package.json pins for the npm package `name`. */
function pinned(name) {
  return require('../package.json').devDependencies[name]
}

/** Every executable called `name` on PATH, in order. Launchers installed by npm are not native and are left out. */
function onPath(name) {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter(dir => dir !== '' && !/[\\/]node_modules[\\/]\.bin[\\/]*$/.test(path.resolve(dir)))
    .map(dir => path.resolve(dir, name + suffix))
    .filter(file => {
      try {
        fs.accessSync(file, fs.constants.X_OK)
        return fs.statSync(file).isFile()
      } catch {
        return false
      }
    })
}

/** What `file --version` prints, or nothing when it cannot be run. */
function versionText(file) {
  try {
    return execFileSync(file, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 })
  } catch {
    return ''
  }
}

/** The native binary of a Foundry tool at the pinned version: from PATH, else as npm installed it. */
function find(tool) {
  const version = pinned(`@foundry-rs/${tool}`)
  // A release may call itself 1.7.1-stable or 1.7.1-v1.7.1; a nightly of the same number is another program.
  const reported = text => /Version: (\S+)/.exec(text)?.[1]
  const accepted = [version, `${version}-stable`, `${version}-v${version}`]
  const native = onPath(tool).find(file => accepted.includes(reported(versionText(file))))
  if (native) return native

  const pkg = path.join(ROOT, 'node_modules', '@foundry-rs', `${tool}-${process.platform}-${NPM_ARCH[process.arch]}`)
  const file = path.join(pkg, 'bin', process.platform === 'win32' ? `${tool}.exe` : tool)
  if (fs.existsSync(file) && require(path.join(pkg, 'package.json')).version === version) return file
  throw new Error(`${tool} ${version} is neither on PATH nor in node_modules: run \`npm ci\``)
}

module.exports = { ROOT, onPath, pinned, versionText }

if (require.main === module) {
  try {
    const [tool] = process.argv.slice(2)
    if (!TOOLS.includes(tool)) throw new Error(`usage: node script/tool.js ${TOOLS.join('|')}`)
    console.log(find(tool))
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}

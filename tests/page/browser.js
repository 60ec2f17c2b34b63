// The Chromium that visits the status page.
'use strict'

const { chromium } = require('playwright-core')
const { onPath } = require('../../script/tool')

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

// Nothing of its own: what it asks for, the page asks for.
const FLAGS = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  '--no-proxy-server',
]

/** The browser that CHROMIUM names, else the first on PATH; none where there is none. */
function executable() {
  return process.env.CHROMIUM || NAMES.flatMap(onPath)[0]
}

/** Starts it, headless, with a profile of its own that is new. */
function launch() {
  const executablePath = executable()
  if (executablePath === undefined) throw new Error(`none of ${NAMES.join(', ')} is on PATH, and CHROMIUM names none`)
  return chromium.launch({ executablePath, headless: true, chromiumSandbox: false, args: FLAGS })
}

module.exports = { executable, launch }

#!/usr/bin/env node
// Takes docs/status-page.png: a devnet's status page at a desk and on a phone, once there is something to see.
'use strict'

const { spawn } = require('node:child_process')
const path = require('node:path')
const readline = require('node:readline')
const { ROOT } = require('../../script/tool')
const { launch } = require('./browser')

const PICTURE = path.join(ROOT, 'docs/status-page.png')

/** Blocks are final 64 blocks later, and the first comparison with the contract comes after a minute. */
const LONGEST = 180_000

const DESK = { width: 960, height: 770 }
const PHONE = { width: 360, height: 770 }
const GAP = 24

/** The page in a window of that size, with everything on it that there is to see. */
async function shot(browser, url, viewport, more) {
  const page = await browser.newPage({ viewport, reducedMotion: 'reduce' })
  await page.goto(url)
  const text = (selector, pattern) => page.waitForFunction(
    ([selector, pattern]) => new RegExp(pattern).test(document.querySelector(selector).innerText),
    [selector, pattern],
    { timeout: LONGEST },
  )
  await text('#audit-result', '^No difference$')
  await text('#finalized', '[1-9]')
  await more(page)
  const png = await page.screenshot()
  return `<img src="data:image/png;base64,${png.toString('base64')}" style="border: 1px solid #b8bfca; border-radius: 12px">`
}

async function take(url) {
  const browser = await launch()
  const desk = await shot(browser, url, DESK, async () => {})
  const phone = await shot(browser, url, PHONE, async page => {
    await page.click('#rows .pick')
    await page.waitForSelector('#found h3')
    await page.evaluate(() => document.querySelector('section:has(#form)').scrollIntoView())
    await page.evaluate(() => scrollBy(0, -14))
  })
  const width = DESK.width + PHONE.width + 3 * GAP + 4
  const page = await browser.newPage({ viewport: { width, height: DESK.height + 2 * GAP + 2 } })
  await page.setContent(`<body style="display: flex; gap: ${GAP}px; margin: ${GAP}px; background: #fff">${desk}${phone}</body>`)
  await page.screenshot({ path: PICTURE })
  await browser.close()
}

async function main() {
  const flags = ['devnet', '--json', '--block-time', '0.5']
  const devnet = spawn(path.join(ROOT, 'target/debug/luxxon'), flags, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    for await (const line of readline.createInterface({ input: devnet.stdout })) {
      console.error('screenshot: waiting for blocks to be final, and compared with the contract')
      await take(JSON.parse(line).statusUrl)
      console.log(PICTURE)
      break
    }
  } finally {
    devnet.kill('SIGTERM')
  }
}

main().catch(error => {
  console.error(`screenshot: ${error.message}`)
  process.exitCode = 1
})

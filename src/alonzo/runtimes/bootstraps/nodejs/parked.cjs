/** Has the bootstrap wait, in a process that learns only later what it is to run. */
'use strict';

const Module = require('module');
const { format } = require('util');
const { CONFIG } = require('./channel.cjs');

/** What most functions, and AWS's own client, load from Node.js itself. */
const AHEAD = ['async_hooks', 'crypto', 'http', 'https', 'os', 'stream/promises', 'url', 'zlib'];

/** Prepare, wait for the variables, and go on as if started with them. */
async function waitForFunction(channel, main) {
  // From now on: the variables may come before everything is loaded, and are taken after that.
  const config = new Promise((resolve) => {
    channel.next(CONFIG, (_header, body) => resolve(JSON.parse(body)));
  });
  for (const name of AHEAD) require(name);
  format('%s %o', new Date().toISOString(), {});
  // Node.js sets its loader of ES modules up, and the one of CommonJS modules inside these.
  await import('./parked.mjs');
  adopt(await config);
  main(channel);
}

/** Leave no trace of another start than with these variables, in the function's folder. */
function adopt(variables) {
  const { env } = process;
  for (const name of Object.keys(env)) {
    if (!(name in variables)) delete env[name];
  }
  for (const [name, value] of Object.entries(variables)) {
    // Node.js looks the time zone up again whenever it is set.
    if (env[name] !== value) env[name] = value;
  }
  process.chdir(env.LAMBDA_TASK_ROOT ?? '/var/task');
  // NODE_PATH: Node.js reads it once, before it runs us.
  Module._initPaths();
}

module.exports = { waitForFunction };

const { execFileSync } = require('child_process');
const fs = require('fs');

exports.handler = async () => ({
  variables: process.env,
  cwd: process.cwd(),
  version: process.versions.node,
  executable: process.execPath,
  argv: process.argv,
  main: require.main.filename,
  paths: require('module').globalPaths,
  timeZone: [new Date(0).getHours(), Intl.DateTimeFormat().resolvedOptions().timeZone],
  globals: Object.keys(globalThis).sort(),
  inherited: execFileSync('/usr/bin/env').toString().split('\n').sort(),
  descriptors: fs.readdirSync('/proc/self/fd').map(Number),
});

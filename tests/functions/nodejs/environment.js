const fs = require('fs');

exports.handler = async () => ({
  variables: process.env,
  cwd: process.cwd(),
  version: process.versions.node,
  executable: process.execPath,
  descriptors: fs.readdirSync('/proc/self/fd').map(Number),
});

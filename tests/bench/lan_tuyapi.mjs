// TuyAPI as a client of the LAN benchmark. node lan_tuyapi.mjs DEVICES.json, with TUYAPI_DIR = a folder where it is installed.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const require = createRequire(process.env.TUYAPI_DIR + '/');
const TuyAPI = require('tuyapi');
const devices = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const ages = [];
let running = false;
let ready = 0;
const now = () => Number(process.hrtime.bigint() / 1000n);
const started = now();

for (const entry of devices) {
  const device = new TuyAPI({
    id: entry.id, key: entry.key, ip: entry.ip, port: entry.port, version: entry.version, issueRefreshOnConnect: false,
  });
  const push = (data) => {
    const stamp = data && data.dps ? data.dps['19'] : undefined;
    if (running && Number.isInteger(stamp)) ages.push((((now() - stamp) % 2147483648) + 2147483648) % 2147483648);
  };
  device.on('data', push);
  device.on('dp-refresh', push);
  device.on('error', () => {});
  device.connect().then(() => {
    ready += 1;
    if (ready === devices.length) console.log('ready');
  }).catch(() => {});
}

let before;
let since;
createInterface({ input: process.stdin }).on('line', (line) => {
  if (!running) {
    running = true;
    before = process.cpuUsage();
    since = now();
    return;
  }
  const used = process.cpuUsage(before);
  ages.sort((a, b) => a - b);
  console.log(JSON.stringify({
    pushes: ages.length, cpu_s: (used.user + used.system) / 1e6, wall_s: (now() - since) / 1e6,
    p50_us: ages[Math.floor(ages.length / 2)] ?? null, p99_us: ages[Math.floor(ages.length * 0.99)] ?? null,
    first_values_s: (since - started) / 1e6,
  }));
  process.exit(0);
});

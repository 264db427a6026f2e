// The job of the demo: a line a second, then "done".
//
//   node /app/job.js [LINES] [PAUSE_MS]
'use strict';

const lines = Number(process.argv[2] ?? 5);
const pause = Number(process.argv[3] ?? 1000);
const version = process.env.PROGRAM_VERSION ?? '';

// As process 1 of a container, Node would not notice a stop at all.
process.on('SIGTERM', () => {
  console.log('terminated');
  process.exit(143);
});

let n = 0;
const timer = setInterval(step, pause);
step();

function step() {
  if (!(n < lines)) { // also when LINES is not a number
    clearInterval(timer);
    console.log('done');
    return;
  }
  n += 1;
  console.log(`line ${n} of ${lines}: job ${version} on node ${process.version}`);
}

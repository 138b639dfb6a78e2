// The baseline for those who use k6: `k6 run -e URL=http://127.0.0.1:8400 -e AGENT=customer-query-routing baseline.js`.
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  scenarios: {
    steady: { executor: 'constant-arrival-rate', rate: 60, timeUnit: '1m', duration: '2m', preAllocatedVUs: 50 },
  },
  thresholds: { checks: ['rate>0.99'] },
};

export default function () {
  const body = JSON.stringify({
    agent: __ENV.AGENT || 'customer-query-routing',
    input: 'I was charged twice for invoice INV-2024-0113. Please refund me. This is urgent.',
  });
  const answer = http.post(`${__ENV.URL || 'http://127.0.0.1:8400'}/v1/tasks?wait=120`, body, {
    headers: { 'Content-Type': 'application/json' },
    timeout: '130s',
  });
  check(answer, { succeeded: (a) => a.status === 200 && a.json('state') === 'succeeded' });
}

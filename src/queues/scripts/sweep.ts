import { SHARED } from "./shared.ts";

/**
 * Finds open tasks that no job will bring on: the job was removed, or ended while the task did not, or lies in a paused
 * queue while its publish may run. A task that was planned just now is left to those who are adding its job.
 *
 * KEYS: open. ARGV: prefix, cursor, count, graceUs. Answers: next cursor, then tracked lines.
 */
export const SWEEP = `${SHARED}
local prefix, before = ARGV[1], now_us() - tonumber(ARGV[4])
local page = redis.call('ZSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3])
local answer = {page[1]}
for i = 1, #page[2], 2 do
  local tracked = page[2][i]
  local queue, id, job_group, field = string.match(tracked, '^([^\\t]+)\\t([^\\t]+)\\t([^\\t]+)\\t(.+)$')
  local state = state_of(redis.call('HGET', prefix .. ':group:' .. job_group, field))
  local job = prefix .. ':' .. queue .. ':' .. id
  if not state then
    redis.call('ZREM', KEYS[1], tracked)
  elseif state == 'parked' then
    if redis.call('EXISTS', prefix .. ':parked:' .. id) == 0 then answer[#answer + 1] = 'parked\\t' .. tracked end
  elseif (state == 'submitting' or state == 'submitted') and redis.call('EXISTS', job .. ':lock') == 0
    and redis.call('HEXISTS', prefix .. ':' .. queue .. ':meta', 'paused') == 1 then
    answer[#answer + 1] = 'paused\\t' .. tracked
  elseif tonumber(page[2][i + 1]) > before then
    -- Nothing yet.
  elseif redis.call('EXISTS', job) == 0 then
    answer[#answer + 1] = 'gone\\t' .. tracked
  elseif redis.call('HEXISTS', job, 'finishedOn') == 1 then
    answer[#answer + 1] = 'ended\\t' .. tracked
  end
end
return answer
`;

import { LAST_OF_RULES } from "../../rules/lane.ts";
import { SHARED } from "./shared.ts";

/** What the scripts of troubles share: an entry of the outbox, which holds what has to be told until it is queued. */
const OUTBOX = `${SHARED}
local now = math.floor(now_us() / 1000)

local function put(outbox, hash, key, what, count)
  local h = redis.call('HMGET', hash, 'since', 'countSince', 'detail', 'open')
  local n = redis.call('HINCRBY', hash, 'n', 1)
  local id = key .. '|' .. string.format('%.0f', now) .. '|' .. n
  local entry = cjson.encode({ id = id, key = key, what = what, count = count, at = now, open = h[4] == '1',
    since = tonumber(h[1]) or now, countSince = tonumber(h[2] or h[1]) or now, detail = h[3] or '{}' })
  redis.call('HSET', outbox, id, entry)
  return entry
end
`;

/**
 * A trouble was met. The first time it is told at once; what follows within the window is counted. A state (counts: 0)
 * that stands already is no news, nor is one that a job group's record has as told.
 *
 * KEYS: trouble, due, standing, outbox, job group's record. ARGV: key, counts, firstWindowMs, lifetimeMs, detail, field of
 *   the record or '', what stands there once it is told.
 * Answers: an entry of the outbox, or '' when nothing has to be told now.
 */
export const TROUBLE = `${OUTBOX}
local hash = KEYS[1]
if ARGV[6] ~= '' and redis.call('EXISTS', KEYS[5]) == 1 then
  if redis.call('HGET', KEYS[5], ARGV[6]) == ARGV[7] then return '' end
  redis.call('HSET', KEYS[5], ARGV[6], ARGV[7])
end
local open = redis.call('HGET', hash, 'open') == '1'
if open and ARGV[2] == '0' then
  redis.call('PEXPIRE', hash, ARGV[4])
  return ''
end
redis.call('HSET', hash, 'detail', ARGV[5])
redis.call('SADD', KEYS[3], ARGV[1])
if not open then redis.call('HSET', hash, 'open', 1, 'since', string.format('%.0f', now), 'told', 0) end
redis.call('PEXPIRE', hash, ARGV[4])
if redis.call('HEXISTS', hash, 'windowMs') == 1 then
  if redis.call('HINCRBY', hash, 'count', 1) == 1 then
    redis.call('HSET', hash, 'countSince', string.format('%.0f', now))
  end
  return ''
end
redis.call('HSET', hash, 'told', 1, 'windowMs', ARGV[3])
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
return put(KEYS[4], hash, ARGV[1], 'first', 1)
`;

/**
 * A trouble is over. That is told if its beginning was, with what was counted since. Its window goes on, so that one
 * that comes and goes is not told each time.
 *
 * KEYS: trouble, standing, outbox. ARGV: key. Answers: as TROUBLE.
 */
export const RECOVERED = `${OUTBOX}
local hash = KEYS[1]
redis.call('SREM', KEYS[2], ARGV[1])
local h = redis.call('HMGET', hash, 'open', 'told', 'count', 'windowMs')
if h[1] ~= '1' then return '' end
redis.call('HSET', hash, 'open', 0)
local entry = ''
if h[2] == '1' then
  entry = put(KEYS[3], hash, ARGV[1], 'recovered', tonumber(h[3]) or 0)
  redis.call('HDEL', hash, 'count', 'countSince')
end
if not h[4] then redis.call('DEL', hash) end
return entry
`;

/**
 * Sums up what was counted in windows that are over; each next window is twice as long. After a window in which nothing
 * came the trouble counts as quiet: the next is told at once.
 *
 * KEYS: due, outbox. ARGV: prefix of troubles, longestWindowMs, how many at most.
 */
export const SUM_UP = `${OUTBOX}
local keys = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])
for _, key in ipairs(keys) do
  local hash = ARGV[1] .. key
  local h = redis.call('HMGET', hash, 'count', 'windowMs', 'open')
  if h[1] then
    local window = math.min(tonumber(h[2]) * 2, tonumber(ARGV[2]))
    redis.call('HSET', hash, 'windowMs', window, 'told', h[3])
    put(KEYS[2], hash, key, 'summary', tonumber(h[1]))
    redis.call('HDEL', hash, 'count', 'countSince')
    redis.call('ZADD', KEYS[1], now + window, key)
  else
    redis.call('ZREM', KEYS[1], key)
    if h[3] == '1' then redis.call('HDEL', hash, 'windowMs') else redis.call('DEL', hash) end
  end
end
return #keys
`;

/**
 * Counts the open tasks that are parked, names the job groups of those that nobody was told of and counts those that are past their target's freshness goal, by queue; a page at a time.
 *
 * KEYS: open. ARGV: prefix, cursor, count, then for each queue with a goal its name and the goal in milliseconds.
 * Answers: next cursor, then lines: queue, parked, late, and of the late one that finished first: time, job group, task;
 * then the job groups with commas between.
 */
export const LOOK_AT_OPEN = `${SHARED}
local prefix, now, goals, seen = ARGV[1], math.floor(now_us() / 1000), {}, {}
for i = 4, #ARGV, 2 do goals[ARGV[i]] = tonumber(ARGV[i + 1]) end
local page = redis.call('ZSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3])
for i = 1, #page[2], 2 do
  local queue, id, job_group, field = string.match(page[2][i], '^([^\\t]+)\\t([^\\t]+)\\t([^\\t]+)\\t(.+)$')
  local h = redis.call('HMGET', prefix .. ':group:' .. job_group, field, 'plan:' .. field)
  local state = state_of(h[1])
  local one = seen[queue] or { parked = 0, late = 0, at = 0, group = '', id = '', untold = {} }
  seen[queue] = one
  if state == 'parked' then
    one.parked = one.parked + 1
    local told = redis.call('HGET', prefix .. ':group:' .. job_group, 'told:' .. field)
    if not told or not string.find(h[1], '"endedAt":' .. told .. '%f[%D]') then one.untold[#one.untold + 1] = job_group end
  end
  -- What was replayed is late on purpose.
  local priority = tonumber(string.match(h[2] or '', '"priority":(%d+)') or '0')
  local finished = goals[queue] and is_open(state) and priority <= ${LAST_OF_RULES} and tonumber(string.match(h[2] or '', '"finishedAt":(%d+)') or '')
  if finished and finished + goals[queue] < now then
    one.late = one.late + 1
    if one.at == 0 or finished < one.at then one.at, one.group, one.id = finished, job_group, id end
  end
end
local answer = { page[1] }
for queue, one in pairs(seen) do
  answer[#answer + 1] = table.concat({ queue, one.parked, one.late, string.format('%.0f', one.at), one.group, one.id, table.concat(one.untold, ',') }, '\\t')
end
return answer
`;

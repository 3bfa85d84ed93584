import { SHARED } from "./shared.ts";

/**
 * A sign of life. Tells whether the process' rules are newer than those that the targets in Redis come from:
 * - on purpose: they were never seen, or its file has just changed from the newest to them (somebody goes back; a process
 *   that is late changes from an older file to an old one, and brings nothing back). This alone gives a version its place
 *   in the order of `seen`;
 * - or they come after the newest in that order: the newest took over while no process with these lived;
 * - or nobody runs the newest any more: none has given a sign of life since this process has had rules (then it was
 *   started with these on purpose; one that was killed counts as alive until its last sign has run out), or for a while
 *   (so that a restart of the newest gives those that run older ones no chance). The order stays as it was.
 * What a living process runs is never struck off the versions that were seen.
 *
 * KEYS: processes, rules, seen. ARGV: id, version (- for none), ttlMs, version before, since or '' (the first time),
 *   absentMs, keepVersions.
 * Answers: 1 or 0 for newer, newest version, revision of the targets, nowMs, then a version for each process that lives.
 */
export const BEAT = `${SHARED}
local now = math.floor(now_us() / 1000)
local version, since = ARGV[2], tonumber(ARGV[5]) or now
redis.call('HSET', KEYS[1], ARGV[1], (now + tonumber(ARGV[3])) .. ' ' .. version)
local lives, runs, is_run = redis.call('HGETALL', KEYS[1]), {}, {}
for i = 1, #lives, 2 do
  local till, runs_version = string.match(lives[i + 1], '^(%d+) (.+)$')
  if tonumber(till) < now then
    redis.call('HDEL', KEYS[1], lives[i])
  else
    runs[#runs + 1] = runs_version
    is_run[runs_version] = true
  end
end

local function place_of(one)
  return tonumber(redis.call('ZSCORE', KEYS[3], one) or '0')
end

-- Puts the version at the end of the order, and strikes the first ones off that nobody needs.
local function take_up(newest)
  local last = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2] or '0'
  redis.call('ZADD', KEYS[3], string.format('%.0f', tonumber(last) + 1), version)
  local over = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[7])
  if over <= 0 then return end
  for _, one in ipairs(redis.call('ZRANGE', KEYS[3], 0, over - 1)) do
    if not is_run[one] and one ~= newest then redis.call('ZREM', KEYS[3], one) end
  end
end

local known = redis.call('HMGET', KEYS[2], 'newest', 'rev', 'aliveAt')
local newest, alive_at, newer = known[1], tonumber(known[3] or '0'), false
if version == newest then
  redis.call('HSET', KEYS[2], 'aliveAt', now)
elseif version ~= '-' then
  local place = place_of(version)
  local on_purpose = not newest or place == 0 or ARGV[4] == newest
  local is_absent = not is_run[newest] and (alive_at <= since or now - alive_at > tonumber(ARGV[6]))
  newer = on_purpose or is_absent or place > place_of(newest)
  -- Before it is registered: if the process dies in between, the next one with this version is newer by its place.
  if on_purpose then take_up(newest) end
end
return {newer and '1' or '0', newest or '', known[2] or '', now, unpack(runs)}
`;

/**
 * Writes the definitions of targets. Newer rules replace what stands; others only add what is missing, and replace what
 * stands just as they expect it. Of two processes that were both told that theirs are newer the later one wins here, and
 * the one whose version has the later place is told again with its next sign of life.
 *
 * KEYS: rules, targets. ARGV: version, 1 for newer, then of each target: name, definition, what it replaces or ''.
 */
export const REGISTER = `${SHARED}
local now = now_us()
local newer = ARGV[2] == '1'
local changed = newer
if newer then redis.call('HSET', KEYS[1], 'newest', ARGV[1], 'aliveAt', math.floor(now / 1000)) end
for i = 3, #ARGV, 3 do
  local stands = redis.call('HGET', KEYS[2], ARGV[i])
  if newer or not stands or stands == ARGV[i + 2] then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    changed = true
  end
end
if changed then redis.call('HSET', KEYS[1], 'rev', string.format('%.0f', now)) end
return 1
`;

/**
 * Strikes a target off, if its definition is still the one that was looked at, the newest rules are not those that
 * defined it, and nothing of it waits, is delayed, runs or is open. What held it up and its breaker go too; its last
 * starts run out by themselves, for one that comes back at once has to keep its pace.
 *
 * KEYS: rules, targets, open, then of its queue: wait, active, paused, delayed, prioritized; held, breaker.
 * ARGV: name, definition, its version, pattern of its open tasks. Answers 1 or 0.
 */
export const FORGET = `${SHARED}
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
if redis.call('HGET', KEYS[1], 'newest') == ARGV[3] then return 0 end
for i = 4, 6 do if redis.call('LLEN', KEYS[i]) > 0 then return 0 end end
for i = 7, 8 do if redis.call('ZCARD', KEYS[i]) > 0 then return 0 end end
local cursor = '0'
repeat
  local page = redis.call('ZSCAN', KEYS[3], cursor, 'MATCH', ARGV[4], 'COUNT', 1000)
  if #page[2] > 0 then return 0 end
  cursor = page[1]
until cursor == '0'
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[9], KEYS[10])
redis.call('HSET', KEYS[1], 'rev', string.format('%.0f', now_us()))
return 1
`;

import { SHARED } from "./shared.ts";

/**
 * A sign of life. Tells whether the process' rules are newer than those that the targets in Redis come from:
 * - they were never seen;
 * - or its file has just changed from the newest to them: somebody goes back. A process that is late changes from an older
 *   file to an old one, and brings nothing back;
 * - or nobody runs the newest any more: none has given a sign of life since this process has had rules (then it was
 *   started on purpose with these; one that was killed counts as alive until its last sign has run out), or for a while
 *   (so that a restart of the newest gives those that run older ones no chance).
 * What a living process runs is never struck off the versions that were seen.
 *
 * KEYS: processes, rules, seen. ARGV: id, version (- for none), ttlMs, version before, since or '' (the first time),
 *   absentMs.
 * Answers: 1 or 0 for newer, newest version, revision of the targets, nowMs, then a version for each process that lives.
 */
export const BEAT = `${SHARED}
local now = math.floor(now_us() / 1000)
local version, since = ARGV[2], tonumber(ARGV[5]) or now
redis.call('HSET', KEYS[1], ARGV[1], (now + tonumber(ARGV[3])) .. ' ' .. version)
redis.call('ZADD', KEYS[3], 'XX', now, version)
local lives, runs = redis.call('HGETALL', KEYS[1]), {}
local known = redis.call('HMGET', KEYS[2], 'newest', 'rev', 'aliveAt')
local newest, alive, alive_at = known[1], false, tonumber(known[3] or '0')
for i = 1, #lives, 2 do
  local till, runs_version = string.match(lives[i + 1], '^(%d+) (.+)$')
  if tonumber(till) < now then
    redis.call('HDEL', KEYS[1], lives[i])
  else
    runs[#runs + 1] = runs_version
    alive = alive or runs_version == newest
  end
end
if version == newest then redis.call('HSET', KEYS[2], 'aliveAt', now) end
local newer = version ~= '-' and version ~= newest and (
  not newest or not redis.call('ZSCORE', KEYS[3], version) or ARGV[4] == newest
  or (not alive and (alive_at <= since or now - alive_at > tonumber(ARGV[6])))
)
return {newer and '1' or '0', newest or '', known[2] or '', now, unpack(runs)}
`;

/**
 * Writes the definitions of targets. Newer rules replace what stands; others only add what is missing, and replace what
 * stands just as they expect it.
 *
 * KEYS: rules, seen, targets. ARGV: version, 1 for newer, keepVersions, then of each target: name, definition, what it
 *   replaces or ''.
 */
export const REGISTER = `${SHARED}
local now = now_us()
local newer, changed = ARGV[2] == '1', false
if newer then
  redis.call('HSET', KEYS[1], 'newest', ARGV[1], 'aliveAt', math.floor(now / 1000))
  redis.call('ZADD', KEYS[2], math.floor(now / 1000), ARGV[1])
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[3]))
  changed = true
end
for i = 4, #ARGV, 3 do
  local stands = redis.call('HGET', KEYS[3], ARGV[i])
  if newer or not stands or stands == ARGV[i + 2] then
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
    changed = true
  end
end
if changed then redis.call('HSET', KEYS[1], 'rev', string.format('%.0f', now)) end
return 1
`;

/**
 * Strikes a target off, if its definition is still the one that was looked at, the newest rules are not those that
 * defined it, and nothing of it waits, is delayed, runs or is open.
 *
 * KEYS: rules, targets, open, then of its queue: wait, active, paused, delayed, prioritized.
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
redis.call('HSET', KEYS[1], 'rev', string.format('%.0f', now_us()))
return 1
`;

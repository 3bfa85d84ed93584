import { SHARED } from "./shared.ts";

/**
 * A sign of life. Tells whether the process' rules are newer than those that the targets in Redis come from: they were
 * never seen, or its file has just changed, or nobody runs the others any more (at a start at once, later after a while,
 * so that a restart of the newer ones gives the older ones no chance).
 *
 * KEYS: processes, rules, seen. ARGV: id, version (- for none), ttlMs, occasion (start, changed, usual), absentMs.
 * Answers: 1 or 0 for newer, newest version, revision of the targets, then a version for each process that lives.
 */
export const BEAT = `${SHARED}
local now = math.floor(now_us() / 1000)
local version, occasion = ARGV[2], ARGV[4]
redis.call('HSET', KEYS[1], ARGV[1], (now + tonumber(ARGV[3])) .. ' ' .. version)
local lives, runs = redis.call('HGETALL', KEYS[1]), {}
local known = redis.call('HMGET', KEYS[2], 'newest', 'rev', 'aliveAt')
local newest, alive = known[1], false
for i = 1, #lives, 2 do
  local till, runs_version = string.match(lives[i + 1], '^(%d+) (.+)$')
  if tonumber(till) < now then
    redis.call('HDEL', KEYS[1], lives[i])
  else
    runs[#runs + 1] = runs_version
    alive = alive or runs_version == newest
  end
end
if alive then redis.call('HSET', KEYS[2], 'aliveAt', now) end
local newer = version ~= '-' and version ~= newest and (
  not newest or occasion == 'changed' or not redis.call('ZSCORE', KEYS[3], version)
  or (not alive and (occasion == 'start' or now - tonumber(known[3] or '0') > tonumber(ARGV[5])))
)
return {newer and '1' or '0', newest or '', known[2] or '', unpack(runs)}
`;

/**
 * Writes the definitions of targets. Newer rules replace what stands; others only add what is missing.
 *
 * KEYS: rules, seen, targets. ARGV: version, 1 for newer, keepVersions, then name and definition of each target.
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
for i = 4, #ARGV, 2 do
  if newer then
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  elseif redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1]) == 1 then
    changed = true
  end
end
if changed then redis.call('HSET', KEYS[1], 'rev', string.format('%.0f', now)) end
return 1
`;

/**
 * Strikes a target off, if its definition is still the one that was looked at.
 *
 * KEYS: rules, targets. ARGV: name, definition.
 */
export const FORGET = `${SHARED}
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'rev', string.format('%.0f', now_us()))
return 1
`;

/**
 * Shuts the gate to the platform for the whole fleet, unless it is shut already.
 *
 * Since when it is shut, the short openings in which it was tried not counted, stands beside the memory (`:since`).
 *
 * KEYS: gate, memory, reason. ARGV: words, reason, memoryMs, then how long to shut it the first time, the second in a row, ...
 * Answers: 1 or 0 (it was shut already), milliseconds, how often in a row.
 */
export const SHUT = `
local left = redis.call('PTTL', KEYS[1])
if left > 0 then return {0, left, tonumber(redis.call('GET', KEYS[2]) or '1')} end
local count = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local ms = tonumber(ARGV[3 + math.min(count, #ARGV - 3)])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ms)
redis.call('SET', KEYS[3], ARGV[2], 'PX', ms)
local since = KEYS[2] .. ':since'
local t = redis.call('TIME')
redis.call('HSETNX', since, 'at', string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)))
redis.call('HSET', since, 'words', ARGV[1])
redis.call('PEXPIRE', since, ARGV[3])
return {1, ms, count}
`;

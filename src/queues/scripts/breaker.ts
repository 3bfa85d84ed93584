/**
 * Counts a transient failure of a target; so many in a row open its breaker, and each further one opens it longer.
 *
 * KEYS: breaker. ARGV: threshold, firstMs, maxMs, words. Answers: failures in a row, milliseconds it is open (0: closed).
 */
export const BREAKER_FAILED = `
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('HSET', KEYS[1], 'words', ARGV[4])
redis.call('HDEL', KEYS[1], 'probeGroup', 'probeField', 'probeAt')
local over = failures - tonumber(ARGV[1])
if over < 0 then return {failures, 0} end
local ms = math.min(tonumber(ARGV[2]) * 2 ^ math.min(over, 20), tonumber(ARGV[3]))
local t = redis.call('TIME')
local until_us = tonumber(t[1]) * 1000000 + tonumber(t[2]) + ms * 1000
redis.call('HSET', KEYS[1], 'openUntil', string.format('%.0f', until_us))
redis.call('HSETNX', KEYS[1], 'openedAt', string.format('%.0f', until_us / 1000 - ms))
return {failures, ms}
`;

/**
 * Lets the next publish probe an open breaker now. One that is closed stays so.
 *
 * KEYS: breaker. Answers 1, or 0 when it was not open.
 */
export const BREAKER_PROBE = `
if redis.call('HEXISTS', KEYS[1], 'openUntil') == 0 then return 0 end
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'openUntil', string.format('%.0f', tonumber(t[1]) * 1000000 + tonumber(t[2])))
return 1
`;

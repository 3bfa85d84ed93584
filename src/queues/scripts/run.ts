/**
 * Writes down that a run is asked for, and takes the turn to send it: one call at a time, and none once it is known.
 *
 * KEYS: run, its turn. ARGV: request, holder, milliseconds that the turn is held, retention in ms. Answers: was the turn
 * taken (0 or 1), milliseconds for which somebody holds it, request, milliseconds since it was sent first, what stood
 * before that, job group, 1 when the platform said that it ran already; the last four empty when there is none.
 */
export const ASK_RUN = `
redis.call('HSETNX', KEYS[1], 'request', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local run = redis.call('HMGET', KEYS[1], 'request', 'sentAt', 'before', 'jobGroupId', 'ranAlready')
local taken = 0
if run[1] == ARGV[1] and not run[4] and redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then
  taken = 1
end
local age = ''
if run[2] then
  local t = redis.call('TIME')
  age = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) - tonumber(run[2])
end
return {taken, redis.call('PTTL', KEYS[2]), run[1], age, run[3] or '', run[4] or '', run[5] or ''}
`;

/**
 * Writes what stood on the platform before the run is sent.
 *
 * KEYS: run. ARGV: what stood.
 */
export const SEND_RUN = `
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
redis.call('HSET', KEYS[1], 'before', ARGV[1])
return redis.call('HSETNX', KEYS[1], 'sentAt', string.format('%.0f', now))
`;

/**
 * Gives the turn back, if it is still the holder's; with 1, nothing ran and the record goes too.
 *
 * KEYS: run, its turn. ARGV: holder, did nothing run (0 or 1).
 */
export const END_TURN = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[2] == '1' then redis.call('DEL', KEYS[1]) end
return 1
`;
